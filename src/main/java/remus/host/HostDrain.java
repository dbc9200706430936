package remus.host;

import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.DrainStage;
import remus.api.DrainStep;
import remus.api.Draining;
import remus.api.VmRole;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.base.Time;
import remus.host.OperationException.Kind;

/**
 * Empties a host for its maintenance: hands each VM that runs here over to its backup, and asks the primaries of those that
 * are backed up here to let them go. Meanwhile the host takes no new VM and no new backup ({@link #refusal}); what comes
 * all the same, by a take-over, is given away again. Of those that have gone it finds out whether other hosts protect them.
 *
 * <pre>
 * WAITING  it runs here PROTECTED, and fewer than {@link #AT_ONCE} are on their way      → MOVING
 *          it runs here, and nobody wants it to have a backup                            → STAYS
 *          it has no backup, or its primary does not let it go, for {@link #PATIENCE}    → STAYS
 * MOVING   it runs on the other host                                                     → LEFT
 *          it does not                                → WAITING for {@link #RETRY_PAUSE}, after {@link #MAX_ATTEMPTS} STAYS
 * STAYS    what it stayed for is over                                                    → WAITING
 * LEFT     it is protected elsewhere, or can't be for now, or {@link #SHELTER_PATIENCE} is over → GONE
 *          it is here again                                                              → WAITING
 * any      its primary has let this host go                                              → LEFT
 *          it ended here                                                                 → GONE
 * </pre>
 *
 * <p>Who owns a VM is not decided here: each hand-over is a switchover, which the VM's agent may refuse, and a primary that
 * is asked to let go signs its backup off as by command. Thread-safe.
 */
final class HostDrain implements AutoCloseable {
    /** VMs that are handed over at the same time: each has its clients wait a little. */
    static final int AT_ONCE = 2;

    /** Attempts to hand a VM over. */
    static final int MAX_ATTEMPTS = 3;

    /** Between two of them. */
    static final Duration RETRY_PAUSE = Duration.ofSeconds(3);

    /** Until a VM may have found a backup, or a primary may have let go. */
    static final Duration PATIENCE = Duration.ofSeconds(30);

    /** Between two questions to the same primary. */
    static final Duration ASK_AGAIN = Duration.ofSeconds(5);

    /** Until a VM that has gone may be protected by other hosts. */
    static final Duration SHELTER_PATIENCE = Duration.ofSeconds(15);

    /** Between two questions to who runs it now. */
    static final Duration SHELTER_PAUSE = Duration.ofMillis(500);

    private static final Duration LOOK_PAUSE = Duration.ofMillis(200);
    private static final Logger LOG = LoggerFactory.getLogger(HostDrain.class);

    /**
     * A VM that this host runs or backs up.
     *
     * @param wanted whether it is to have a backup
     * @param backups names or addresses of hosts that may be that
     */
    record Present(VmStatus status, boolean wanted, List<String> backups) {
        Present {
            backups = List.copyOf(backups);
        }
    }

    /**
     * What has become of a VM that has gone.
     *
     * @param settled whether that is not going to change soon
     */
    record Whereabouts(boolean settled, String text) {}

    /** What draining can see of a host, and do to its VMs. */
    interface Host {
        List<Present> present();

        /** Hands a VM over to its backup, which may take a while; returns how that went. */
        String switchOver(String vm) throws OperationException;

        /** Asks a VM's primary to let this host, its backup, go. */
        void relieve(String vm, String why);

        /**
         * Asks {@code owner}, which runs the VM now, whether it is protected; may take a while.
         *
         * @param backups as in {@link Present}
         */
        Whereabouts whereabouts(String vm, String owner, List<String> backups);
    }

    /** A VM on its way. */
    private static final class Leaver {
        private final VmRole role;
        private DrainStage stage = DrainStage.WAITING;
        private String text = "";

        private long leftNanos;
        private long lookedNanos;

        /** How long it could not go; what brings it nearer to that does not count. */
        private long stuckNanos;

        private long askedNanos;
        private boolean isAsking;
        private long dueNanos;
        private int attempts;
        private String failure = "";
        private String how = "";

        /** The other host, and those that may be the backup. */
        private @Nullable String peer;

        private List<String> backups = List.of();

        private Leaver(VmRole role, long nowNanos) {
            this.role = role;
            leftNanos = nowNanos;
            lookedNanos = nowNanos;
            askedNanos = nowNanos - ASK_AGAIN.toNanos();
            dueNanos = nowNanos;
        }

        private boolean hasLeft() {
            return stage == DrainStage.LEFT || stage == DrainStage.GONE;
        }

        /** Whether it is here in that role since a while, but not from the beginning. */
        private boolean hasCome(VmRole as) {
            return hasLeft() || (role != as && stage != DrainStage.MOVING);
        }

        private boolean isStuck(long nowNanos) {
            stuckNanos += nowNanos - lookedNanos;
            return stuckNanos >= PATIENCE.toNanos();
        }

        private void is(DrainStage next, String why) {
            stage = next;
            text = why;
        }
    }

    private final String hostName;
    private final Time time;
    private final Map<String, Leaver> all = new TreeMap<>();
    private @Nullable Host host;
    private @Nullable Executor work;
    private @Nullable Thread thread;
    private boolean draining;
    private boolean looked;

    HostDrain(String hostName, Time time) {
        this.hostName = hostName;
        this.time = time;
    }

    /** From now on {@link #look} does something. */
    synchronized void serve(Host of, Executor executor) {
        host = of;
        work = executor;
    }

    /** Begins; where it has begun already, what has failed is tried anew, and all else goes on. */
    synchronized void begin() {
        draining = true;
        looked = false;
        all.values().removeIf(vm -> vm.stage == DrainStage.WAITING || vm.stage == DrainStage.STAYS);
        LOG.info("host {} is drained from now on", hostName);
    }

    /** As {@link #begin}, and has a thread of its own look after it until {@link #undo} or {@link #close}. */
    synchronized void start() {
        begin();
        if (thread == null) {
            thread = Thread.ofPlatform().name("host-drain").daemon().start(this::run);
        } else {
            LockSupport.unpark(thread);
        }
    }

    /** The host takes VMs again. Those that are on their way arrive. */
    synchronized void undo() {
        draining = false;
        all.clear();
    }

    @Override
    public void close() {
        undo();
    }

    private void run() {
        while (isGoingOn()) {
            try {
                look(time.nanos());
            } catch (RuntimeException e) {
                LOG.error("draining failed, trying again", e);
            }
            LockSupport.parkNanos(this, LOOK_PAUSE.toNanos());
        }
    }

    private synchronized boolean isGoingOn() {
        if (!draining) {
            thread = null;
        }
        return draining;
    }

    synchronized boolean isDraining() {
        return draining;
    }

    /** Why something new is not taken here; null: it is. */
    @Nullable
    OperationException refusal(String what) {
        return isDraining()
                ? new OperationException(
                        Kind.CONFLICT,
                        "%s: host %s is being drained and takes nothing new".formatted(what, hostName),
                        "use another host, or end that: remus drain --undo")
                : null;
    }

    /** How far it is; null: the host is not being drained. */
    synchronized @Nullable Draining status() {
        if (!draining) {
            return null;
        }
        List<DrainStep> steps = all.entrySet().stream()
                .map(entry -> new DrainStep(
                        entry.getKey(), entry.getValue().role, entry.getValue().stage, entry.getValue().text))
                .toList();
        boolean done = looked
                && steps.stream().allMatch(step -> step.stage() == DrainStage.GONE || step.stage() == DrainStage.STAYS);
        return new Draining(done, steps);
    }

    // ---- what is to be done

    /** Does what is due. */
    synchronized void look(long nowNanos) {
        Host of = host;
        if (!draining || of == null) {
            return;
        }
        Set<String> here = new HashSet<>();
        for (Present vm : of.present()) {
            String name = vm.status().name();
            here.add(name);
            Leaver leaver = all.get(name);
            if (leaver != null && leaver.hasLeft() && vm.status().state() == VmState.FENCED) {
                continue; // its agent is about to end
            }
            if (leaver == null || leaver.hasCome(vm.status().role())) {
                leaver = new Leaver(vm.status().role(), nowNanos);
                all.put(name, leaver);
            }
            if (leaver.stage == DrainStage.MOVING) {
                continue;
            }
            String peer = vm.status().peer();
            leaver.peer = peer == null ? leaver.peer : peer;
            leaver.backups = vm.backups();
            if (leaver.role == VmRole.PRIMARY) {
                lookAtPrimary(leaver, vm, nowNanos, of);
            } else {
                lookAtBackup(leaver, vm.status(), nowNanos, of);
            }
            leaver.lookedNanos = nowNanos;
        }
        all.forEach((name, leaver) -> {
            if (!here.contains(name)) {
                lookAtAbsent(name, leaver, nowNanos, of);
            }
        });
        looked = true;
    }

    private void lookAtPrimary(Leaver leaver, Present vm, long nowNanos, Host of) {
        VmStatus status = vm.status();
        switch (status.state()) {
            case PROTECTED -> lookAtProtected(leaver, status, nowNanos, of);
            case UNPROTECTED, DEGRADED -> lookAtUnprotected(leaver, vm, nowNanos);
            case SYNCHRONIZING -> leaver.is(DrainStage.WAITING, "is " + state(status));
            case ACTIVATING, STANDBY, FENCED, STOPPED -> {
                String is = "is " + state(status);
                if (leaver.isStuck(nowNanos)) {
                    leaver.is(DrainStage.STAYS, "%s: see remus status %s".formatted(is, status.name()));
                } else {
                    leaver.is(DrainStage.WAITING, is);
                }
            }
        }
    }

    private void lookAtProtected(Leaver leaver, VmStatus vm, long nowNanos, Host of) {
        leaver.stuckNanos = 0;
        if (leaver.attempts >= MAX_ATTEMPTS) {
            leaver.is(DrainStage.STAYS, leaver.failure);
        } else if (nowNanos - leaver.dueNanos < 0) {
            leaver.is(DrainStage.WAITING, leaver.failure);
        } else if (moving() < AT_ONCE) {
            move(leaver, vm, of);
        } else {
            leaver.is(DrainStage.WAITING, "waits for its turn");
        }
    }

    private static void lookAtUnprotected(Leaver leaver, Present vm, long nowNanos) {
        String name = vm.status().name();
        String is = "is " + state(vm.status());
        if (!vm.wanted()) {
            leaver.is(
                    DrainStage.STAYS,
                    "%s, and is to have no backup: remus protect %s --backup ADDR:PORT moves it there, remus stop %s ends it"
                            .formatted(is, name, name));
        } else if (leaver.isStuck(nowNanos)) {
            leaver.is(
                    DrainStage.STAYS,
                    "%s: remus protect %s --backup ADDR:PORT names another backup, remus stop %s ends it"
                            .formatted(is, name, name));
        } else {
            leaver.is(DrainStage.WAITING, is);
        }
    }

    private void lookAtBackup(Leaver leaver, VmStatus vm, long nowNanos, Host of) {
        if (vm.state() == VmState.ACTIVATING) {
            leaver.is(DrainStage.WAITING, "is being taken over here" + reason(vm));
            return;
        }
        if (nowNanos - leaver.askedNanos >= ASK_AGAIN.toNanos()) {
            leaver.askedNanos = nowNanos;
            of.relieve(vm.name(), "host " + hostName + " is being drained");
        }
        if (leaver.isStuck(nowNanos)) {
            leaver.is(
                    DrainStage.STAYS,
                    "its primary %s does not let it go: see remus status %s there, and remus unprotect %s"
                            .formatted(vm.peer(), vm.name(), vm.name()));
        } else {
            leaver.is(DrainStage.WAITING, "its primary %s is asked to let it go".formatted(vm.peer()));
        }
    }

    // ---- what has gone

    private void lookAtAbsent(String vm, Leaver leaver, long nowNanos, Host of) {
        switch (leaver.stage) {
            case WAITING, STAYS -> {
                if (leaver.role == VmRole.PRIMARY) {
                    leaver.is(DrainStage.GONE, "does not run here any more");
                } else {
                    left(leaver, "its primary %s has let it go".formatted(leaver.peer), nowNanos);
                }
            }
            case LEFT -> {
                if (!leaver.isAsking && nowNanos - leaver.askedNanos >= SHELTER_PAUSE.toNanos()) {
                    askWhereabouts(vm, leaver, of);
                }
            }
            case MOVING, GONE -> {}
        }
    }

    private static void left(Leaver leaver, String how, long nowNanos) {
        leaver.is(DrainStage.LEFT, how);
        leaver.leftNanos = nowNanos;
        leaver.askedNanos = nowNanos - SHELTER_PAUSE.toNanos();
        leaver.how = how;
    }

    private void askWhereabouts(String vm, Leaver leaver, Host of) {
        Executor executor = work;
        String owner = leaver.peer;
        if (executor == null || owner == null) {
            leaver.is(DrainStage.GONE, leaver.how);
            return;
        }
        leaver.isAsking = true;
        List<String> backups = leaver.backups;
        executor.execute(() -> {
            Whereabouts found = new Whereabouts(false, owner + " could not be asked whether it is protected there");
            try {
                found = of.whereabouts(vm, owner, backups);
            } catch (RuntimeException e) {
                LOG.error("VM {}: {} could not be asked about it", vm, owner, e);
            }
            toldWhereabouts(leaver, found);
        });
    }

    private synchronized void toldWhereabouts(Leaver leaver, Whereabouts found) {
        long now = time.nanos();
        leaver.isAsking = false;
        leaver.askedNanos = now;
        boolean settled = found.settled() || now - leaver.leftNanos >= SHELTER_PATIENCE.toNanos();
        leaver.is(settled ? DrainStage.GONE : DrainStage.LEFT, leaver.how + "; " + found.text());
    }

    private static String state(VmStatus vm) {
        return vm.state() + reason(vm);
    }

    private static String reason(VmStatus vm) {
        return vm.reason() == null ? "" : " (" + vm.reason() + ")";
    }

    private long moving() {
        return all.values().stream().filter(vm -> vm.stage == DrainStage.MOVING).count();
    }

    private void move(Leaver leaver, VmStatus vm, Host of) {
        Executor executor = work;
        if (executor == null) {
            return;
        }
        leaver.is(DrainStage.MOVING, "is handed over to " + vm.peer());
        executor.execute(() -> {
            try {
                moved(leaver, of.switchOver(vm.name()));
            } catch (OperationException | RuntimeException e) {
                LOG.warn("VM {} is not handed over: {}", vm.name(), e.toString());
                notMoved(leaver, String.valueOf(e.getMessage()));
            }
        });
    }

    private synchronized void moved(Leaver leaver, String how) {
        left(leaver, how, time.nanos());
    }

    private synchronized void notMoved(Leaver leaver, String why) {
        leaver.attempts++;
        leaver.failure = why;
        leaver.lookedNanos = time.nanos();
        leaver.dueNanos = time.nanos() + RETRY_PAUSE.toNanos();
        leaver.is(leaver.attempts < MAX_ATTEMPTS ? DrainStage.WAITING : DrainStage.STAYS, why);
    }
}
