package remus.qemu;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;
import remus.base.Invariant;
import remus.base.Time;
import remus.checkpoint.StagedBytes;
import remus.linux.LinuxException;
import remus.linux.Poller;
import remus.linux.UnixStreamSocket;

/**
 * The backup's paused QEMU: made like the primary's, waiting for a device state. Its RAM file may be written from the
 * start until {@link #activate}.
 *
 * <p>Phases: STARTED → PREPARED by {@link #prepare}, which opens the way for the state and sends what is known ahead of
 * it; PREPARED → SPENT by {@link #activate}, which hands the QEMU over to a {@link RunningGuest} or kills it; any → SPENT
 * by {@link #close}. One use only: a QEMU that has loaded a state, or part of one, can't load another.
 *
 * <p>No frame leaves the standby before activation. Used by one thread at a time, but for {@link #onExit}'s callback.
 */
public final class StandbyQemu implements AutoCloseable {
    private static final String NIC_CONNECTED = "NETDEV_STREAM_CONNECTED";
    private static final long LOADED_POLL_NANOS = 500_000;

    private enum Phase {
        STARTED,
        PREPARED,
        SPENT
    }

    private final QemuProcess process;
    private final VmDefinition vm;
    private final QemuPaths paths;
    private final QemuLimits limits;
    private final Time time;
    private @Nullable UnixStreamSocket incoming;
    private @Nullable RunningGuest guest;
    private Phase phase = Phase.STARTED;

    private StandbyQemu(QemuProcess process, VmDefinition vm, QemuPaths paths, QemuLimits limits, Time time) {
        this.process = process;
        this.vm = vm;
        this.paths = paths;
        this.limits = limits;
        this.time = time;
    }

    /** Starts the standby and waits until it answers on QMP. The directories of {@code paths} exist. */
    public static StandbyQemu start(
            QemuInstallation installation, VmDefinition vm, QemuPaths paths, QemuLimits limits, Time time)
            throws QemuException, InterruptedException {
        installation.require(vm.machine());
        QemuProcess process = QemuProcess.start(
                installation,
                vm.machine(),
                QemuArguments.forStandby(vm, paths, installation.features()),
                paths,
                limits.start());
        return new StandbyQemu(process, vm, paths, limits, time);
    }

    public QemuProcess process() {
        return process;
    }

    /** Calls {@code callback} once when the standby dies, also while it waits; see {@link QemuProcess#onExit}. */
    public void onExit(Consumer<QemuExit> callback) {
        process.onExit(callback);
    }

    /**
     * Does ahead of time what activation would otherwise wait for: QEMU listens, is connected to, and gets the header
     * and the configuration section.
     *
     * @throws ActivationException when QEMU refuses or does not answer; the standby is then to be closed
     */
    public void prepare() throws ActivationException {
        Invariant.check(phase == Phase.STARTED, "standby phase=%s expected=STARTED", phase);
        try {
            process.qmp().execute("migrate-incoming", Map.of("uri", "unix:" + paths.incomingSocket()), limits.reply());
            incoming = UnixStreamSocket.connect(paths.incomingSocket());
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment preamble = arena.allocateFrom(ValueLayout.JAVA_BYTE, DeviceState.preamble(vm.machine()));
                write(
                        incoming,
                        preamble,
                        0,
                        preamble.byteSize(),
                        System.nanoTime() + limits.reply().toNanos());
            }
            guest = new RunningGuest(process, paths, limits.reply(), time);
            phase = Phase.PREPARED;
        } catch (QmpException | LinuxException | StalledException | IOException e) {
            throw failed("the standby could not be prepared", e);
        }
    }

    /**
     * Waits until QEMU has taken the connections that were made to the sockets of its NICs, one to each. It listens there in a
     * thread of its own, and its main loop hears of that only when nothing else is to be done: a connection may stand long before,
     * and a guest that runs and sends a frame by then makes QEMU follow a null pointer (net/stream.c of QEMU 7.2:
     * {@code net_stream_receive} before {@code net_stream_server_listening}).
     *
     * @param count of NICs
     * @throws ActivationException when QEMU does not take them; the standby is then to be closed
     */
    public void awaitNics(int count) throws ActivationException {
        Invariant.check(phase == Phase.PREPARED, "standby phase=%s expected=PREPARED", phase);
        try {
            process.qmp().awaitEvents(NIC_CONNECTED, count, limits.reply());
        } catch (QmpException e) {
            throw failed("the standby's NICs could not be connected", e);
        }
    }

    /** {@link #activate(MemorySegment, long)} with the state that {@code deviceState} holds. */
    public RunningGuest activate(StagedBytes deviceState) throws ActivationException {
        return activate(deviceState.segment(), deviceState.size());
    }

    /** As {@link #activate(StagedBytes)}; with {@code still} the guest is kept paused, as it was when it was saved. */
    public RunningGuest activate(StagedBytes deviceState, boolean still) throws ActivationException {
        return activate(deviceState.segment(), deviceState.size(), still);
    }

    /**
     * Loads the device state and lets the guest run. The RAM file must hold the memory of the same checkpoint.
     *
     * @param deviceState as saved, native, in its first {@code length} bytes
     * @throws ActivationException when QEMU does not take the state or does not come to run; it is dead then
     */
    public RunningGuest activate(MemorySegment deviceState, long length) throws ActivationException {
        return activate(deviceState, length, false);
    }

    private RunningGuest activate(MemorySegment deviceState, long length, boolean still) throws ActivationException {
        Invariant.check(phase == Phase.PREPARED, "standby phase=%s expected=PREPARED", phase);
        try {
            DeviceState.check(deviceState, length);
        } catch (DeviceStateException e) {
            // Nothing has been sent: the standby stays as it is.
            throw new ActivationException(ErrorCategory.FATAL, "the checkpoint can't be loaded: " + e.getMessage(), e);
        }
        phase = Phase.SPENT;
        RunningGuest activated = Objects.requireNonNull(guest);
        boolean running = false;
        boolean mayHaveRun = false;
        try (UnixStreamSocket way = Objects.requireNonNull(incoming)) {
            long deadline = System.nanoTime() + limits.load().toNanos();
            // Asked for while it still waits, QEMU lets the guest run by itself as soon as all is loaded; asked later
            // it
            // does so at once. Either way it need not be asked first whether it has loaded.
            long cont = still ? 0 : process.qmp().send("cont", Map.of());
            write(way, deviceState, DeviceState.HEADER_BYTES, length, deadline);
            mayHaveRun = !still;
            way.shutdownOutput();
            if (still) {
                awaitLoaded(deadline);
                activated.isKeptStill();
            } else {
                process.qmp().awaitReply(cont, "cont", remaining(deadline));
                process.qmp().awaitEvent("RESUME", remaining(deadline));
            }
            running = true;
            return activated;
        } catch (QmpException | LinuxException | StalledException e) {
            String why = "the standby could not be activated: " + why(e);
            throw new ActivationException(ErrorCategory.RETRY, why, e, mayHaveRun && hasRunByItsEnd());
        } finally {
            if (!running) {
                activated.close();
            }
        }
    }

    /** QEMU does not say that it has loaded all where nobody wants the guest to run. */
    private void awaitLoaded(long deadline) throws QmpException, StalledException {
        while (process.qmp()
                .execute("query-status", Map.of(), remaining(deadline))
                .path("status")
                .asString("")
                .equals("inmigrate")) {
            LockSupport.parkNanos(LOADED_POLL_NANOS);
        }
    }

    private static Duration remaining(long deadline) throws StalledException {
        long nanos = deadline - System.nanoTime();
        if (nanos <= 0) {
            throw new StalledException("QEMU took too long to load the device state");
        }
        return Duration.ofNanos(nanos);
    }

    private static void write(UnixStreamSocket socket, MemorySegment source, long from, long to, long deadline)
            throws LinuxException, StalledException {
        long at = from;
        try (Poller poller = new Poller(1)) {
            while (at < to) {
                int written = socket.write(source, at, (int) (to - at));
                if (written > 0) {
                    at += written;
                } else {
                    poller.enable(0, socket.descriptor(), false, true);
                    poller.await(remaining(deadline).toNanos());
                }
            }
        }
    }

    /**
     * Ends QEMU and tells whether the guest had run. QEMU says so before it lets a processor run (softmmu/cpus.c: vm_start), so
     * it has not where nothing is to be read of it when QEMU is gone.
     */
    private boolean hasRunByItsEnd() {
        try {
            process.kill(QemuProcess.KILL_LIMIT);
            process.qmp().awaitEvent("RESUME", limits.reply());
            return true;
        } catch (QmpException e) {
            return false;
        } catch (QemuException e) {
            return true; // it lives, so nobody knows
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return true;
        }
    }

    private ActivationException failed(String what, Exception cause) {
        return new ActivationException(ErrorCategory.RETRY, what + ": " + why(cause), cause);
    }

    private String why(Exception cause) {
        String why = cause.getMessage();
        try {
            var exit = process.awaitExit(Duration.ofMillis(50));
            why = exit.isPresent() ? exit.get().toString() : why + " | " + String.join(" | ", process.errorTail());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return String.valueOf(why);
    }

    /** A limit was passed without an error from anybody. */
    private static final class StalledException extends Exception {
        private static final long serialVersionUID = 1L;

        StalledException(String message) {
            super(message);
        }
    }

    /** Kills the standby, unless activation has handed it over. */
    @Override
    public void close() {
        if (phase != Phase.SPENT) {
            phase = Phase.SPENT;
            try {
                if (guest != null) {
                    guest.close();
                } else {
                    process.close();
                }
            } finally {
                if (incoming != null) {
                    incoming.close();
                }
            }
        }
    }
}
