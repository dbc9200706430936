package remus.host;

import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import remus.host.OperationException.Kind;
import remus.replication.PeerAnswer;
import remus.wire.OwnerAnswer;

/**
 * What people ask of a VM that is backed up here, which is that it be taken over: refused where it makes no sense, brought
 * to its {@link StandbyOwnership} otherwise. Whoever asked is told once how that went, at the latest when the agent ends.
 * Confined to the backup's agent thread, but for {@link #notAStandby}.
 */
final class StandbyCommands {
    private final String vm;
    private final boolean hasArbiter;
    private final PrimaryInquiry inquiry;
    private final StandbyOwnership ownership;
    private @Nullable CompletableFuture<Void> failingOver;

    StandbyCommands(String vm, boolean hasArbiter, PrimaryInquiry inquiry, StandbyOwnership ownership) {
        this.vm = vm;
        this.hasArbiter = hasArbiter;
        this.inquiry = inquiry;
        this.ownership = ownership;
    }

    /**
     * Takes the VM over.
     *
     * @param force without fencing the primary first
     * @param result completes when the VM runs
     */
    void failOver(boolean force, CompletableFuture<Void> result) {
        if (!ownership.hasWholeCheckpoint()) {
            result.completeExceptionally(new OperationException(
                    Kind.CONFLICT,
                    "VM " + vm + " has no whole checkpoint here yet, so there is nothing to activate",
                    "wait until remus status shows STANDBY"));
        } else if (failingOver != null) {
            result.completeExceptionally(new OperationException(
                    Kind.CONFLICT, "VM " + vm + " is being activated already", "see remus status " + vm));
        } else {
            failingOver = result;
            if (force) {
                ownership.primaryLost("by command, without asking the primary", true);
            } else {
                inquiry.fence(this::primaryFenced);
            }
        }
    }

    /** Whether the primary has been asked to give way, which may cost the connection to it. */
    boolean isFencing() {
        return failingOver != null;
    }

    private void primaryFenced(PeerAnswer answer) {
        if (!(answer instanceof PeerAnswer.Answered(OwnerAnswer owner)) || isOutOfTheWay(owner)) {
            ownership.primaryLost("by command; " + says(answer), true);
            return;
        }
        fail(new OperationException(
                Kind.FAILED,
                "the primary could not be fenced, it says %s %s".formatted(owner.state(), owner.text()),
                hasArbiter
                        ? "use --force to leave the decision to the arbiter's record alone"
                        : "use --force to activate in spite of it, which risks two running copies"));
    }

    private static String says(PeerAnswer answer) {
        return switch (answer) {
            case PeerAnswer.Answered(OwnerAnswer owner) -> "the primary has given way and is " + owner.state();
            case PeerAnswer.Refused _ -> "the primary's port refuses";
            case PeerAnswer.Unreachable _ -> "the primary does not answer";
        };
    }

    private static boolean isOutOfTheWay(OwnerAnswer owner) {
        return switch (owner.state()) {
            case FENCED, STOPPED, UNKNOWN -> true;
            case STANDBY, ACTIVATING, RUNNING_ALONE, RUNNING_PROTECTED, RUNNING_UNCERTAIN -> false;
        };
    }

    /** This host is not the VM's backup any more. */
    void dropped(String why) {
        fail(new OperationException(Kind.FAILED, "VM " + vm + " is not taken over: " + why, "see remus events " + vm));
    }

    /** The agent ends. */
    void ended(boolean activated) {
        CompletableFuture<Void> waiting = failingOver;
        if (waiting != null && activated) {
            failingOver = null;
            waiting.complete(null);
        } else {
            fail(notAStandby());
        }
    }

    OperationException notAStandby() {
        return new OperationException(
                Kind.CONFLICT, "VM " + vm + " is not backed up here any more", "see remus status");
    }

    private void fail(OperationException why) {
        CompletableFuture<Void> waiting = failingOver;
        failingOver = null;
        if (waiting != null) {
            waiting.completeExceptionally(why);
        }
    }
}
