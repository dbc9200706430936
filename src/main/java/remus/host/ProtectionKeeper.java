package remus.host;

import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.base.DurationText;
import remus.base.HostAddress;
import remus.base.Time;

/**
 * Protects a host's VMs again: whenever one that is to be protected runs here without a backup, tries its candidates in
 * their order, and after all of them again, until a backup has it. A VM's agent tells what becomes of it; attempts and
 * questions to other hosts, which may wait, are made by the threads of an executor.
 *
 * <pre>
 * WAITING  its time has come, or a host that was down answers    → TRYING the first candidate
 *          another session began, by command                     → JOINED
 * TRYING   the session began                                     → JOINED
 *          the candidate is down, or refused                     → TRYING the next one; after the last → WAITING, longer
 *                                                                  (no longer than before where a host was down that
 *                                                                  answers: those that refused are not asked then)
 *          the VM can't begin a session right now                → WAITING, shortly
 * JOINED   the VM is alone before it was protected               → TRYING the next candidate
 *          the VM is alone after it was protected                → WAITING: no time at all, or longer where that happens
 *                                                                  again and again
 * any      the VM is gone, or not to be protected any more       → forgotten
 * </pre>
 *
 * <p>Invariants: a VM has one attempt under way at most; hosts that refuse are left alone for the pause, which doubles from
 * {@link #FIRST_PAUSE} to {@link #LONGEST_PAUSE}; a host that is down is asked every {@link #PROBE_PAUSE} whether it answers,
 * once for all VMs that wait for it. Whether a VM may be protected is not decided here but by its agent, for each attempt.
 *
 * <p>Others may call from any thread; what they say is done by {@link #tick}, on one thread.
 */
final class ProtectionKeeper implements AutoCloseable {
    /** After the first time that no candidate could be had. */
    static final Duration FIRST_PAUSE = Duration.ofSeconds(1);

    static final Duration LONGEST_PAUSE = Duration.ofSeconds(30);

    /** Who was protected for so long has lost its backup for a new reason. */
    static final Duration STEADY = Duration.ofSeconds(30);

    /** Until a VM may be able to begin a session that it could not begin just now. */
    static final Duration BUSY_PAUSE = Duration.ofMillis(200);

    /** Between two questions to a host that is down. */
    static final Duration PROBE_PAUSE = Duration.ofSeconds(1);

    private static final Logger LOG = LoggerFactory.getLogger(ProtectionKeeper.class);
    private static final long IDLE_NANOS = Duration.ofHours(1).toNanos();

    /** What came of an attempt. */
    sealed interface Outcome {
        /** There is a session; what becomes of it the VM's agent tells. */
        record Begun() implements Outcome {}

        /** Nobody answers there. */
        record Down(String cause) implements Outcome {}

        record Refused(String cause) implements Outcome {}

        /** It is this host itself, or has been asked in this pass under another name. */
        record Skipped() implements Outcome {}

        /** The VM itself can't begin a session now. */
        record Busy(String cause) implements Outcome {}
    }

    /** What the keeper can do to VMs and ask of hosts. */
    interface Hosts {
        /**
         * Where a candidate is; null: it is this host itself. May take a while.
         *
         * @throws OperationException when nobody knows
         */
        @Nullable
        HostAddress locate(String candidate) throws OperationException;

        /** Begins to protect the VM; may take a while. */
        Outcome protect(String vm, ProtectionSettings policy, HostAddress backup, String why);

        /** Whether a daemon answers there; may take a while. */
        boolean answers(HostAddress host, String vm);

        /**
         * The VM runs unprotected for now.
         *
         * @param news something else than at the time before
         */
        void waits(String vm, String reason, boolean news);
    }

    private enum Phase {
        WAITING,
        TRYING,
        JOINED
    }

    /** A VM that is to be protected. */
    private static final class Kept {
        private final String vm;
        private ProtectionSettings policy;
        private Phase phase = Phase.WAITING;
        private String why = "";
        private long dueNanos;
        private Duration pause = Duration.ZERO;
        private long protectedSinceNanos;
        private boolean isProtected;
        private long attempt;
        private String told = "";

        // Of the present pass over the candidates, or the last one.
        private int next;
        private @Nullable String trying;
        private @Nullable HostAddress host;
        private final Set<HostAddress> tried = new HashSet<>();
        private final Set<HostAddress> down = new LinkedHashSet<>();
        private final Map<String, String> notes = new LinkedHashMap<>();

        /** When those that refused may be asked again; a host that answers anew is tried before that, without them. */
        private long regularNanos;

        private boolean isEarly;

        private Kept(String vm, ProtectionSettings policy) {
            this.vm = vm;
            this.policy = policy;
        }

        /** The host that is tried; as long as nobody knows where it is, it may be {@code otherwise}. */
        private HostAddress located(HostAddress otherwise) {
            HostAddress known = host;
            return known == null ? otherwise : known;
        }

        private void note(String candidate, String what) {
            notes.put(candidate, what);
        }
    }

    private final Time time;
    private final Agent agent = new Agent(this::wake);
    private final Map<String, Kept> kept = new LinkedHashMap<>();
    private final Map<HostAddress, Long> probes = new HashMap<>();
    private final Set<HostAddress> probing = new HashSet<>();
    private volatile @Nullable Thread thread;
    private volatile boolean closed;
    private @Nullable Hosts hosts;
    private @Nullable Executor work;
    private long attempts;

    ProtectionKeeper(Time time) {
        this.time = time;
    }

    /** From now on {@link #tick} does something. */
    void begin(Hosts by, Executor executor) {
        hosts = by;
        work = executor;
    }

    /** Has a thread of its own call {@link #tick} whenever something is to be done, until {@link #close}. */
    void start() {
        Thread.ofPlatform().name("protection-keeper").daemon().start(this::run);
    }

    private void run() {
        thread = Thread.currentThread(); // what was posted before, and so woke nobody, is done by the first tick
        while (!closed) {
            long wait = FIRST_PAUSE.toNanos();
            try {
                wait = tick(time.nanos());
            } catch (RuntimeException | Error e) {
                LOG.error("protecting VMs again failed, trying again", e);
            }
            LockSupport.parkNanos(this, wait);
        }
    }

    private void wake() {
        LockSupport.unpark(thread);
    }

    /** No VM is protected from here any more. */
    @Override
    public void close() {
        closed = true;
        wake();
    }

    // ---- what a VM's agent tells

    /**
     * The VM runs here and has no backup, which it is to have.
     *
     * @param policy how, and by which hosts
     * @param why it has none
     */
    void alone(String vm, ProtectionSettings policy, String why) {
        agent.post(() -> {
            Kept present = kept.get(vm);
            if (present == null) {
                present = new Kept(vm, policy);
                kept.put(vm, present);
                present.why = why;
                present.dueNanos = time.nanos();
            }
            present.policy = policy;
            if (present.phase == Phase.JOINED) {
                lost(present, why);
            }
        });
    }

    /** A session with {@code backup} has begun, by whomever. */
    void begun(String vm, HostAddress backup) {
        agent.post(() -> {
            Kept present = kept.get(vm);
            if (present != null) {
                if (present.phase != Phase.TRYING || !backup.equals(present.located(backup))) {
                    present.trying = null; // by command: nothing that becomes of it is the candidate's fault
                }
                present.phase = Phase.JOINED;
                present.isProtected = false;
            }
        });
    }

    /** The VM has a backup, and is to have one from now on. */
    void isProtected(String vm, ProtectionSettings policy) {
        agent.post(() -> {
            Kept present = kept.computeIfAbsent(vm, name -> new Kept(name, policy));
            present.policy = policy;
            present.phase = Phase.JOINED;
            present.isProtected = true;
            present.protectedSinceNanos = time.nanos();
            present.told = "";
        });
    }

    /** The VM is gone from here, or not to be protected any more. */
    void over(String vm) {
        agent.post(() -> kept.remove(vm));
    }

    // ---- what is to be done

    /** Does what is due; returns nanoseconds until it wants to be called again. */
    long tick(long nowNanos) {
        agent.runPosted();
        Hosts by = hosts;
        Executor executor = work;
        if (closed || by == null || executor == null) {
            return IDLE_NANOS;
        }
        for (Kept vm : kept.values()) {
            if (vm.phase == Phase.WAITING && nowNanos - vm.dueNanos >= 0) {
                beginPass(vm, by, executor);
            }
        }
        probe(nowNanos, by, executor);
        return nanosUntilDue(nowNanos);
    }

    private long nanosUntilDue(long nowNanos) {
        long wait = IDLE_NANOS;
        for (Kept vm : kept.values()) {
            if (vm.phase == Phase.WAITING) {
                wait = Math.min(wait, vm.dueNanos - nowNanos);
            }
        }
        for (Map.Entry<HostAddress, Long> due : probes.entrySet()) {
            if (!probing.contains(due.getKey())) {
                wait = Math.min(wait, due.getValue() - nowNanos);
            }
        }
        return Math.max(1, wait);
    }

    private void lost(Kept vm, String why) {
        long now = time.nanos();
        String candidate = vm.trying;
        if (!vm.isProtected && candidate != null) {
            HostAddress host = vm.host;
            String name = host == null ? candidate : host.toString();
            vm.note(name, name + ": " + why);
            vm.trying = null;
            vm.phase = Phase.WAITING;
            vm.dueNanos = now;
            advanceIfBegun(vm);
            return;
        }
        if (vm.isProtected && now - vm.protectedSinceNanos >= STEADY.toNanos()) {
            vm.pause = Duration.ZERO;
        }
        vm.why = why;
        vm.isEarly = false;
        vm.isProtected = false;
        vm.trying = null;
        vm.phase = Phase.WAITING;
        vm.dueNanos = now + vm.pause.toNanos();
        vm.pause = longer(vm.pause);
    }

    private void advanceIfBegun(Kept vm) {
        Hosts by = hosts;
        Executor executor = work;
        if (by != null && executor != null && !closed) {
            advance(vm, by, executor);
        }
    }

    private static Duration longer(Duration pause) {
        if (pause.isZero()) {
            return FIRST_PAUSE;
        }
        Duration twice = pause.multipliedBy(2);
        return twice.compareTo(LONGEST_PAUSE) < 0 ? twice : LONGEST_PAUSE;
    }

    private void beginPass(Kept vm, Hosts by, Executor executor) {
        vm.next = 0;
        if (vm.isEarly) {
            vm.tried.removeIf(host -> !vm.notes.containsKey(host.toString()));
            Set<String> refused = vm.tried.stream().map(HostAddress::toString).collect(Collectors.toSet());
            vm.notes.keySet().retainAll(refused);
        } else {
            vm.tried.clear();
            vm.notes.clear();
        }
        vm.down.clear();
        advance(vm, by, executor);
    }

    /** Tries the next candidate, or pauses when none is left. */
    private void advance(Kept vm, Hosts by, Executor executor) {
        if (vm.next < vm.policy.backups().size()) {
            attempt(vm, vm.policy.backups().get(vm.next++), by, executor);
        } else {
            pause(vm, by);
        }
    }

    private void attempt(Kept vm, String candidate, Hosts by, Executor executor) {
        vm.phase = Phase.TRYING;
        vm.trying = candidate;
        vm.host = null;
        vm.attempt = ++attempts;
        long attempt = vm.attempt;
        ProtectionSettings policy = vm.policy;
        String why = vm.why;
        Set<HostAddress> tried = Set.copyOf(vm.tried);
        executor.execute(() -> {
            Outcome outcome = outcomeOf(() -> {
                try {
                    HostAddress host = by.locate(candidate);
                    if (host == null || tried.contains(host)) {
                        return new Outcome.Skipped();
                    }
                    agent.post(() -> located(vm, attempt, host));
                    return by.protect(vm.vm, policy, host, why);
                } catch (OperationException e) {
                    return new Outcome.Refused(String.valueOf(e.getMessage()));
                }
            });
            agent.post(() -> {
                if (kept.get(vm.vm) == vm && vm.phase == Phase.TRYING && vm.attempt == attempt) {
                    attempted(vm, candidate, outcome);
                }
            });
        });
    }

    private void located(Kept vm, long attempt, HostAddress host) {
        if (kept.get(vm.vm) == vm && vm.attempt == attempt) {
            vm.host = host;
            vm.tried.add(host);
        }
    }

    /** What fails unexpectedly must not leave the VM waiting for its outcome for ever. */
    private static Outcome outcomeOf(Supplier<Outcome> attempt) {
        try {
            return attempt.get();
        } catch (RuntimeException | Error e) {
            LOG.error("an attempt to protect a VM failed", e);
            return new Outcome.Refused(e.toString());
        }
    }

    private void attempted(Kept vm, String candidate, Outcome outcome) {
        switch (outcome) {
            case Outcome.Begun() -> {} // the VM's agent has told, or will
            case Outcome.Busy(String cause) -> {
                LOG.debug("VM {}: not yet protected again: {}", vm.vm, cause);
                HostAddress host = vm.host;
                if (host != null) {
                    vm.tried.remove(host); // it was not its fault
                }
                vm.trying = null;
                vm.phase = Phase.WAITING;
                vm.dueNanos = time.nanos() + BUSY_PAUSE.toNanos();
            }
            case Outcome.Down(String cause) -> {
                HostAddress host = vm.host;
                if (host != null) {
                    vm.down.add(host);
                }
                failed(vm, candidate, cause);
            }
            case Outcome.Refused(String cause) -> failed(vm, candidate, cause);
            case Outcome.Skipped() -> {
                vm.trying = null;
                advanceIfBegun(vm);
            }
        }
    }

    private void failed(Kept vm, String candidate, String cause) {
        HostAddress host = vm.host;
        vm.note(host == null ? candidate : host.toString(), cause);
        vm.trying = null;
        advanceIfBegun(vm);
    }

    private void pause(Kept vm, Hosts by) {
        vm.phase = Phase.WAITING;
        vm.trying = null;
        String found = vm.why + "; not protected again: "
                + (vm.notes.isEmpty() ? "no other host is named" : String.join("; ", vm.notes.values()));
        boolean news = !found.equals(vm.told);
        vm.told = found;
        if (vm.tried.isEmpty()) {
            // What this host knows of others does not change as long as it runs.
            vm.dueNanos = time.nanos() + IDLE_NANOS;
            by.waits(vm.vm, found, news);
            return;
        }
        if (!vm.isEarly) {
            vm.pause = longer(vm.pause);
            vm.regularNanos = time.nanos() + vm.pause.toNanos();
        }
        vm.isEarly = false;
        vm.dueNanos = vm.regularNanos;
        String sooner = vm.down.isEmpty()
                ? ""
                : ", or as soon as %s answers"
                        .formatted(vm.down.stream().map(HostAddress::toString).collect(Collectors.joining(" or ")));
        by.waits(vm.vm, "%s; next try in %s%s".formatted(found, DurationText.format(vm.pause), sooner), news);
    }

    // ---- hosts that are down

    private void probe(long nowNanos, Hosts by, Executor executor) {
        Map<HostAddress, String> awaited = new HashMap<>();
        for (Kept vm : kept.values()) {
            if (vm.phase == Phase.WAITING) {
                vm.down.forEach(host -> awaited.put(host, vm.vm));
            }
        }
        probes.keySet().retainAll(awaited.keySet());
        awaited.forEach((host, vm) -> {
            long due = probes.computeIfAbsent(host, found -> nowNanos + PROBE_PAUSE.toNanos());
            if (nowNanos - due >= 0 && probing.add(host)) {
                executor.execute(() -> {
                    boolean answers = isTrue(() -> by.answers(host, vm));
                    agent.post(() -> probed(host, answers));
                });
            }
        });
    }

    private static boolean isTrue(BooleanSupplier question) {
        try {
            return question.getAsBoolean();
        } catch (RuntimeException | Error e) {
            LOG.error("a host could not be asked", e);
            return false;
        }
    }

    private void probed(HostAddress host, boolean answers) {
        probing.remove(host);
        probes.remove(host);
        if (!answers) {
            probes.put(host, time.nanos() + PROBE_PAUSE.toNanos());
            return;
        }
        for (Kept vm : kept.values()) {
            if (vm.phase == Phase.WAITING && vm.down.remove(host)) {
                vm.notes.remove(host.toString());
                vm.isEarly = true;
                vm.dueNanos = time.nanos();
            }
        }
    }
}
