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
 * Empties a host for its maintenance: hands each VM that runs here over to its backup, and asks the primaries of those
 * that are backed up here to let them go. Meanwhile the host takes no new VM and no new backup ({@link #admit}); what was
 * admitted before is waited for and given away again, as is what comes by a take-over. Of those that have gone it finds
 * out whether other hosts protect them.
 *
 * <pre>
 * WAITING  it runs here PROTECTED, and fewer than {@link #AT_ONCE} are on their way      → MOVING
 *          it runs here, and nobody wants it to have a backup                            → STAYS
 *          for {@link #PATIENCE} it has no backup, is being taken over here or is fenced,
 *          or its primary does not let it go; what it takes to be synchronized
 *          does not count, and is waited for as long as it lasts                         → STAYS
 * MOVING   it runs on the other host                                                     → LEFT
 *          it does not, or that can't be found out                → WAITING for {@link #RETRY_PAUSE},
 *                                                                    after {@link #MAX_ATTEMPTS} STAYS
 * STAYS    what it stayed for is over                                                    → WAITING
 * LEFT     it is protected elsewhere, or can't be for now,
 *          or {@link #SHELTER_PATIENCE} is over                                          → GONE
 *          it is here again                                                              → WAITING
 * any      its primary has let this host go                                              → LEFT
 *          it ended here                                                                 → GONE
 * </pre>
 *
 * <p>Who owns a VM is not decided here: each hand-over is a switchover, which the VM's agent may refuse, and a primary
 * that is asked to let go signs its backup off as by command. What fails unexpectedly is logged and tried again. After
 * {@link #close} nothing more is given away, and what was refused stays refused. Thread-safe.
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

    /** A VM on its way in. Until this is closed, by when it is {@link Host#present} or is not to come, draining waits. */
    final class Arrival implements AutoCloseable {
        private final String vm;
        private final VmRole role;

        private Arrival(String vm, VmRole role) {
            this.vm = vm;
            this.role = role;
        }

        @Override
        public void close() {
            arrived(this);
        }

        private DrainStep step() {
            return new DrainStep(
                    vm,
                    role,
                    DrainStage.WAITING,
                    role == VmRole.PRIMARY ? "is just being started here" : "its session just begins here");
        }
    }

    private final String hostName;
    private final Time time;
    private final Map<String, Leaver> all = new TreeMap<>();
    private final Set<Arrival> arriving = new HashSet<>();
    private @Nullable Host host;
    private @Nullable Executor work;
    private @Nullable Thread thread;
    private boolean draining;
    private boolean closed;

    /** Whether all that is here has been seen since draining began, and since the last one came in. */
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
        if (closed) {
            return;
        }
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

    /** Nothing more is given away. A host that was being drained goes on to take nothing, for its end is no undoing. */
    @Override
    public synchronized void close() {
        closed = true;
        LockSupport.unpark(thread);
    }

    private void run() {
        while (isGoingOn()) {
            try {
                look(time.nanos());
            } catch (RuntimeException | Error e) {
                LOG.error("draining failed, trying again", e);
            }
            LockSupport.parkNanos(this, LOOK_PAUSE.toNanos());
        }
    }

    private synchronized boolean isGoingOn() {
        boolean goesOn = draining && !closed;
        if (!goesOn) {
            thread = null;
        }
        return goesOn;
    }

    /**
     * Lets a VM in, to which this host is to be {@code role}. Draining that begins from now on is not done before whoever
     * brings the VM has closed what this returns, so that no VM comes to a host that was said to be empty.
     *
     * @throws OperationException when the host is being drained
     */
    synchronized Arrival admit(String vm, VmRole role) throws OperationException {
        if (draining) {
            throw new OperationException(
                    Kind.CONFLICT,
                    "VM %s: host %s is being drained and takes nothing new".formatted(vm, hostName),
                    "use another host, or end that: remus drain --undo");
        }
        Arrival arrival = new Arrival(vm, role);
        arriving.add(arrival);
        return arrival;
    }

    private synchronized void arrived(Arrival arrival) {
        if (arriving.remove(arrival)) {
            looked = false;
        }
    }

    /** How far it is; null: the host is not being drained. */
    synchronized @Nullable Draining status() {
        if (!draining) {
            return null;
        }
        Map<String, DrainStep> steps = new TreeMap<>();
        all.forEach((name, vm) -> steps.put(name, new DrainStep(name, vm.role, vm.stage, vm.text)));
        arriving.forEach(vm -> steps.putIfAbsent(vm.vm, vm.step()));
        boolean done = looked
                && arriving.isEmpty()
                && all.values().stream().allMatch(vm -> vm.stage == DrainStage.GONE || vm.stage == DrainStage.STAYS);
        return new Draining(done, List.copyOf(steps.values()));
    }

    // ---- what is to be done

    /** Does what is due. */
    synchronized void look(long nowNanos) {
        Host of = host;
        if (!draining || closed || of == null) {
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
            case ACTIVATING, STANDBY, FENCED, STOPPED -> lookAtOddOne(leaver, status, "is " + state(status), nowNanos);
        }
    }

    /** It is to become another one by itself, or somebody has to see why it does not. */
    private static void lookAtOddOne(Leaver leaver, VmStatus vm, String is, long nowNanos) {
        if (leaver.isStuck(nowNanos)) {
            leaver.is(DrainStage.STAYS, "%s: see remus status %s".formatted(is, vm.name()));
        } else {
            leaver.is(DrainStage.WAITING, is);
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
            lookAtOddOne(leaver, vm, "is being taken over here" + reason(vm), nowNanos);
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
            } catch (RuntimeException | Error e) {
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
            } catch (OperationException e) {
                LOG.warn("VM {} is not handed over: {}", vm.name(), e.toString());
                notMoved(leaver, String.valueOf(e.getMessage()));
            } catch (RuntimeException | Error e) {
                LOG.error("VM {} is not handed over", vm.name(), e);
                notMoved(leaver, e.toString());
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
