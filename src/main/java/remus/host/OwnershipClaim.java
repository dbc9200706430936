package remus.host;

import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import remus.availability.Inquiry;
import remus.availability.OwnershipAction;
import remus.availability.OwnershipAgent;
import remus.availability.PrimaryEvent;
import remus.availability.PrimaryOwnership;
import remus.availability.PrimaryState;
import remus.availability.Requests;
import remus.base.Time;
import remus.host.OperationException.Kind;

/**
 * Asks for the right to start a VM here, before anything of it is made; waits for the answer. When it is ended early it
 * asks for nothing any more, and waits only for what it has asked to be granted, to say truly what the record is.
 */
final class OwnershipClaim {
    /** For an arbiter whose leader has just died: its servers elect another one within seconds. */
    static final Duration LIMIT = Duration.ofSeconds(15);

    private final BlockingQueue<Runnable> answers = new LinkedBlockingQueue<>();
    private final String vm;
    private final Time time;
    private boolean isShared;
    private boolean ending;
    private String lastReport = "it has not answered";

    OwnershipClaim(String vm, Time time) {
        this.vm = vm;
        this.time = time;
    }

    /** Hands the arbiter's answers to the thread that waits in {@link #await}. */
    void answer(Runnable answer) {
        answers.add(answer);
    }

    /** The VM is not to be started any more; on any thread. */
    void end() {
        answers.add(() -> ending = true);
    }

    /**
     * Returns the state in which this host owns the VM alone.
     *
     * @param force an operator vouches that no other host runs it
     * @throws OperationException when another host has the VM, the arbiter can't be asked, or {@link #end} was called
     */
    PrimaryState await(VmArbiter arbiter, OwnershipAgent.Pauses pauses, Requests requests, boolean force)
            throws OperationException {
        OwnershipAgent<PrimaryState, PrimaryEvent> claim =
                OwnershipAgent.ofPrimary(vm, arbiter, this::answer, time, pauses, this::note);
        isShared = arbiter.isShared();
        claim.begin(PrimaryOwnership.start(requests, force));
        long deadline = time.nanos() + LIMIT.toNanos();
        while (true) {
            switch (claim.state().role()) {
                case PrimaryState.Alone _ -> {
                    if (ending) {
                        throw ended(true);
                    }
                    return claim.state();
                }
                case PrimaryState.Claiming(Inquiry inquiry, boolean _)
                when ending && !(inquiry.step() instanceof Inquiry.Step.Setting) -> throw ended(inquiry.mayLand());
                case PrimaryState.Gone(String reason) ->
                    throw new OperationException(
                            Kind.REFUSED,
                            "VM %s is not started: %s".formatted(vm, reason),
                            "use it where it is; or, if you know that no other host runs it: --force-stale");
                default -> waitForAnswer(claim, deadline);
            }
        }
    }

    /** The record of a VM that ends or never ran is no other than that of one that was stopped. */
    private OperationException ended(boolean mayBeOnRecord) {
        return new OperationException(
                Kind.FAILED,
                "VM " + vm + " is not started: the daemon is ending",
                isShared && mayBeOnRecord
                        ? "start it here again; elsewhere only by --force-stale, for the arbiter's record may name this host"
                        : "");
    }

    private void note(OwnershipAction action) {
        if (action instanceof OwnershipAction.Report(String reason)) {
            lastReport = reason;
        }
    }

    private void waitForAnswer(OwnershipAgent<PrimaryState, PrimaryEvent> claim, long deadline)
            throws OperationException {
        long now = time.nanos();
        if (now - deadline >= 0) {
            throw isShared
                    ? new OperationException(
                            Kind.FAILED,
                            "VM %s is not started: the arbiter can't be asked who owns it: %s"
                                    .formatted(vm, lastReport),
                            "see that its servers run and can be reached: remus status shows the connection")
                    : new OperationException(
                            Kind.FAILED,
                            "VM %s is not started: its term can't be written down".formatted(vm),
                            "see the daemon's log and its state directory");
        }
        try {
            Runnable answer = answers.poll(Math.min(claim.tick(now), deadline - now), TimeUnit.NANOSECONDS);
            if (answer != null) {
                answer.run();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new OperationException(Kind.FAILED, "the daemon is ending", "", e);
        }
    }
}
