package remus.qemu;

import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;
import remus.base.Invariant;
import remus.base.Time;
import remus.checkpoint.GuestControl;
import remus.linux.ProcessIdentity;
import tools.jackson.databind.JsonNode;

/**
 * A QEMU whose guest runs, as the checkpoint engine drives it. Owns the process and the connection to it.
 *
 * <p>Phases:
 *
 * <ul>
 *   <li>RUNNING → SUSPENDING by {@link #suspendAndSave}, which sends {@code stop} and the save in one go
 *   <li>SUSPENDING → SAVING when {@code stop} is answered: {@link GuestListener#suspended}
 *   <li>SAVING → SAVED when the save is answered: {@link GuestListener#saved}
 *   <li>SAVED → RESUMING by {@link #resume}
 *   <li>RESUMING → RUNNING when {@code cont} is answered: {@link GuestListener#resumed}
 *   <li>any but FAILED → FAILED when QEMU is gone, refuses one of the three, or is silent for longer than the reply
 *       limit: {@link GuestListener#failed}
 * </ul>
 *
 * <p>A guest that is kept still ({@link #keepStill}) is stopped and saved like any other, and {@link #resume} leaves it
 * stopped: it counts as RUNNING then. So its checkpoints go on, each with the same content.
 *
 * <p>A guest that has ended (power-off) can still be saved once more; {@code resume} then does nothing, and
 * nothing more is to be asked for.
 *
 * <p>Used by one thread at a time, which calls {@link #poll} when the descriptor is readable and {@link #checkDeadline}
 * now and then. The listener may call anything here but those two, {@link #close} included. Nothing here blocks but
 * {@link #start}, {@link #quit} and {@link #close}.
 */
public final class RunningGuest implements GuestControl, AutoCloseable {
    private static final long STOP_ID = 1;
    private static final long SAVE_ID = 2;
    private static final long CONT_ID = 3;
    private static final long KEEP_STILL_ID = 4;
    private static final long LET_GO_ID = 5;

    /** After a break QEMU tries its disks again in pauses that double up to 16 s, and stops for nobody meanwhile. */
    public static final Duration RECONNECT_LIMIT = Duration.ofSeconds(18);

    /** How long a broken connection waits for the exit code that explains it. */
    private static final Duration EXIT_GRACE = Duration.ofMillis(50);

    private enum Phase {
        RUNNING,
        SUSPENDING,
        SAVING,
        SAVED,
        RESUMING,
        FAILED
    }

    private final QemuProcess process;
    private final PauseCommands commands;
    private final DeviceState state;
    private final Time time;
    private final long replyLimitNanos;
    private long stopLimitNanos;
    private final GuestClock clock = new GuestClock();
    private final Replies replies = new Replies();
    private Phase phase = Phase.RUNNING;
    private boolean keptStill;
    private boolean held;
    private boolean resumesStill;
    private boolean shutDown;
    private boolean closed;
    private long deadlineNanos;
    private long lastCheckNanos;
    private @Nullable QmpException sendFailure;

    /**
     * Takes over a QEMU whose guest runs.
     *
     * @param replyLimit how long QEMU may take to answer before it counts as hanging
     */
    RunningGuest(QemuProcess process, QemuPaths paths, Duration replyLimit, Time time) throws IOException {
        this.process = process;
        this.time = time;
        this.replyLimitNanos = replyLimit.toNanos();
        this.stopLimitNanos = replyLimitNanos;
        this.lastCheckNanos = time.nanos();
        this.state = DeviceState.open(paths.stateFile());
        this.commands = new PauseCommands(process, paths);
    }

    /** Boots the VM. The directories of {@code paths} exist. */
    public static RunningGuest start(
            QemuInstallation installation, VmDefinition vm, QemuPaths paths, QemuLimits limits, Time time)
            throws QemuException, InterruptedException {
        installation.require(vm.machine());
        QemuProcess process = QemuProcess.start(
                installation,
                vm.machine(),
                QemuArguments.forPrimary(vm, paths, installation.features()),
                paths,
                limits.start());
        try {
            return new RunningGuest(process, paths, limits.reply(), time);
        } catch (IOException e) {
            process.close();
            throw new QemuException(ErrorCategory.FATAL, "the state file can't be made: " + e.getMessage(), e);
        }
    }

    /**
     * Takes over the guest of a QEMU that a former daemon has left, whatever that was doing: a guest that stands still is
     * {@link #isPaused} and waits for {@link #resume}. Its disks are offered already, for QEMU may answer nothing before it
     * has them back: {@link #RECONNECT_LIMIT}.
     *
     * @throws QemuException when QEMU has ended, does not answer or never had a guest; it is left as it is
     * @throws IOException when this host can't do it for a reason of its own
     */
    public static RunningGuest adopt(ProcessIdentity identity, QemuPaths paths, QemuLimits limits, Time time)
            throws QemuException, IOException, InterruptedException {
        Duration patience = limits.start().plus(RECONNECT_LIMIT);
        QemuProcess process = QemuProcess.adopt(identity, paths, patience);
        boolean adopted = false;
        try {
            String status = process.qmp()
                    .execute("query-status", Map.of(), patience)
                    .path("status")
                    .asString("");
            if (status.equals("inmigrate")) {
                throw new QemuException(
                        ErrorCategory.FATAL, "QEMU (pid " + identity.pid() + ") has no guest yet", null);
            }
            RunningGuest guest = new RunningGuest(process, paths, limits.reply(), time);
            guest.shutDown = status.equals("shutdown");
            guest.phase = status.equals("running") ? Phase.RUNNING : Phase.SAVED;
            if (guest.phase == Phase.SAVED) {
                guest.clock.stands(time.nanos());
            }
            guest.stopLimitNanos = limits.reply().plus(RECONNECT_LIMIT).toNanos();
            adopted = true;
            return guest;
        } catch (QmpException e) {
            throw new QemuException(ErrorCategory.RETRY, "QEMU does not answer: " + e.getMessage(), e);
        } finally {
            if (!adopted) {
                process.leave();
            }
        }
    }

    /** Whether the guest has powered itself off, as far as QEMU has said. */
    public boolean isShutDown() {
        return shutDown;
    }

    public QemuProcess process() {
        return process;
    }

    /** The commands by which it is stopped, saved and resumed; what QEMU says comes by them, too. */
    public PauseCommands commands() {
        return commands;
    }

    /** Whether it is being stopped, saved or resumed, so that it can't be suspended now. */
    public boolean isPausing() {
        return phase != Phase.RUNNING && phase != Phase.FAILED;
    }

    /** Whether it stands still, saved, and waits to be resumed. */
    public boolean isPaused() {
        return phase == Phase.SAVED;
    }

    @Override
    public void suspendAndSave() {
        if (enter(Phase.SUSPENDING, Phase.RUNNING)) {
            clock.stands(time.nanos());
            give(Order.STOP, stopLimitNanos);
        }
    }

    @Override
    public void resume() {
        if (!shutDown && enter(Phase.RESUMING, Phase.SAVED)) {
            resumesStill = isToStandStill();
            if (!resumesStill) {
                give(Order.CONT, replyLimitNanos);
            }
        }
    }

    private boolean isToStandStill() {
        return keptStill || held;
    }

    /** From now on it stands still by command, until {@link #letGo}. Idempotent. */
    public void keepStill() {
        stand(true, held);
    }

    /** It stands still already and is to stay so: it was activated that way. */
    void isKeptStill() {
        clock.stands(time.nanos());
        keptStill = true;
    }

    /** It stands still by command no more. Idempotent. */
    public void letGo() {
        stand(false, held);
    }

    @Override
    public void hold(boolean wanted) {
        stand(keptStill, wanted);
    }

    private void stand(boolean nowKeptStill, boolean nowHeld) {
        boolean before = isToStandStill();
        keptStill = nowKeptStill;
        held = nowHeld;
        if (isToStandStill() == before || phase != Phase.RUNNING) {
            return;
        }
        if (before) {
            if (!shutDown) {
                letGoNow();
            }
        } else {
            clock.stands(time.nanos());
            give(Order.KEEP_STILL, replyLimitNanos);
        }
    }

    private void letGoNow() {
        clock.runs(time.nanos());
        give(Order.LET_GO, replyLimitNanos);
    }

    @Override
    public boolean staysStill() {
        return keptStill;
    }

    @Override
    public long clockLagNanos() {
        return clock.lagNanos(time.nanos());
    }

    /** Its clock was behind by so much when it was activated. */
    public void isBehind(long nanos) {
        clock.isBehind(nanos, time.nanos());
    }

    /** Says that a guest "runs" again that is kept still; not within {@link #resume}, whose caller is not ready for it. */
    private void finishStillResume(GuestListener listener) {
        if (phase == Phase.RESUMING && resumesStill) {
            resumesStill = false;
            phase = Phase.RUNNING;
            if (!isToStandStill()) {
                letGoNow();
            }
            listener.resumed();
        }
    }

    /** False after a failure, of which the caller may not have heard yet: what it asks for then comes to nothing. */
    private boolean enter(Phase next, Phase from) {
        if (phase == Phase.FAILED) {
            return false;
        }
        Invariant.check(phase == from, "guest phase=%s expected=%s", phase, from);
        phase = next;
        return true;
    }

    /** What QEMU is told. */
    private enum Order {
        STOP,
        SAVE,
        CONT,
        KEEP_STILL,
        LET_GO,
        PREPARE
    }

    private void give(Order order, long limitNanos) {
        deadlineNanos = time.nanos() + limitNanos;
        try {
            switch (order) {
                case STOP -> commands.stop(STOP_ID);
                case SAVE -> commands.save(SAVE_ID);
                case CONT -> commands.cont(CONT_ID);
                case KEEP_STILL -> commands.stop(KEEP_STILL_ID);
                case LET_GO -> commands.cont(LET_GO_ID);
                case PREPARE -> commands.prepare();
            }
        } catch (QmpException e) {
            sendFailure = e;
            // The caller is not ready for a listener's call, and must not wait for a descriptor that may stay silent.
            deadlineNanos = time.nanos();
        }
    }

    /** Hands over all that has come from QEMU; returns at once. */
    public void poll(GuestListener listener) {
        if (phase == Phase.FAILED) {
            return;
        }
        try {
            if (sendFailure != null) {
                throw sendFailure;
            }
            replies.listener = listener;
            commands.poll(replies);
            finishStillResume(listener);
        } catch (QmpException e) {
            fail(explained(e), listener);
        }
    }

    /**
     * Reports a failure when QEMU owes an answer for longer than the reply limit. To be called several times within
     * that limit: a longer gap means that we did not run ourselves (SIGSTOP, the host asleep), and then QEMU, which may
     * have slept with us, gets its time anew.
     */
    public void checkDeadline(long nowNanos, GuestListener listener) {
        long gapNanos = nowNanos - lastCheckNanos;
        lastCheckNanos = nowNanos;
        finishStillResume(listener);
        if (phase != Phase.FAILED && commands.hasQueued()) {
            // Came while the standby was activated; the descriptor does not tell.
            poll(listener);
        }
        if (!awaitsReply() || nowNanos - deadlineNanos < 0) {
            return;
        }
        poll(listener);
        if (!awaitsReply() || nowNanos - deadlineNanos < 0) {
            return;
        }
        if (gapNanos > replyLimitNanos) {
            deadlineNanos = nowNanos + replyLimitNanos;
            return;
        }
        fail(
                QmpException.unusable(
                        "QEMU (pid " + process.identity().pid() + ") does not answer: phase=" + phase + ", reply limit "
                                + replyLimitNanos / 1_000_000 + "ms",
                        null),
                listener);
    }

    private boolean awaitsReply() {
        return switch (phase) {
            case SUSPENDING, SAVING, RESUMING -> true;
            case RUNNING, SAVED, FAILED -> false;
        };
    }

    private void fail(QmpException cause, GuestListener listener) {
        if (phase != Phase.FAILED) {
            phase = Phase.FAILED;
            listener.failed(cause);
        }
    }

    private QmpException explained(QmpException e) {
        try {
            Optional<QemuExit> exit = process.awaitExit(EXIT_GRACE);
            return exit.map(how -> QmpException.unusable(how.toString(), e)).orElse(e);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            return e;
        }
    }

    /** Turns replies and events into steps of the phase and calls of the listener of the moment. */
    private final class Replies implements QmpClient.Handler {
        private @Nullable GuestListener listener;

        private GuestListener listener() {
            return Invariant.present(listener, "a listener, during poll()");
        }

        @Override
        public void returned(long id, JsonNode value) {
            if (id == STOP_ID && phase == Phase.SUSPENDING) {
                phase = Phase.SAVING;
                stopLimitNanos = replyLimitNanos; // the disks are there, for stopping flushes them
                give(Order.SAVE, replyLimitNanos);
                listener().suspended();
            } else if (id == SAVE_ID && phase == Phase.SAVING) {
                phase = Phase.SAVED;
                listener().saved(state);
            } else if (id == CONT_ID && phase == Phase.RESUMING) {
                phase = Phase.RUNNING;
                if (isToStandStill()) {
                    give(Order.KEEP_STILL, replyLimitNanos); // asked for after the cont had left
                } else {
                    clock.runs(time.nanos());
                }
                listener().resumed();
                if (phase == Phase.RUNNING && !isToStandStill()) {
                    give(Order.PREPARE, replyLimitNanos);
                }
            } else if (id != KEEP_STILL_ID && id != LET_GO_ID && phase != Phase.FAILED) {
                fail(QmpException.unusable("QEMU answered what was not asked: id=" + id, null), listener());
            }
        }

        @Override
        public void refused(long id, String errorClass, String description) {
            // cont on its way while the guest powered off: QEMU keeps it stopped, and so do we.
            if (id == CONT_ID && shutDown) {
                phase = Phase.SAVED;
                return;
            }
            if (id == LET_GO_ID && shutDown) {
                return;
            }
            String command =
                    id == STOP_ID || id == KEEP_STILL_ID ? "stop" : id == SAVE_ID ? "xen-save-devices-state" : "cont";
            fail(QmpException.refused(command, errorClass, description), listener());
        }

        @Override
        public void event(String name, JsonNode data) {
            if (phase == Phase.FAILED) {
                return;
            }
            boolean byGuest = data.path("guest").asBoolean(false);
            switch (name) {
                case "SHUTDOWN" -> {
                    shutDown = true;
                    listener().guestShutdown(data.path("reason").asString("unknown"), byGuest);
                }
                case "RESET" -> {
                    isBehind(0); // as it boots it takes the time from its hardware clock, which never stands still
                    listener().guestReset(byGuest);
                }
                case "GUEST_PANICKED" -> listener().guestPanicked();
                default -> {
                    // STOP, RESUME and the many others say nothing that the replies do not say.
                }
            }
        }
    }

    /** Ends QEMU in order, or kills it when it has not ended within {@code limit}. */
    public void quit(Duration limit) throws QemuException, InterruptedException {
        phase = Phase.FAILED;
        process.quit(limit);
    }

    /** Lets go of QEMU and its guest, which run on for another process to {@link #adopt}. */
    public void leave() {
        end(process::leave);
    }

    /** Kills QEMU if it still runs. */
    @Override
    public void close() {
        end(process::close);
    }

    private void end(Runnable letGo) {
        phase = Phase.FAILED;
        if (closed) {
            return;
        }
        closed = true;
        clock.runs(time.nanos()); // what has ended loses no more time
        try {
            letGo.run();
        } finally {
            state.close();
            commands.close();
        }
    }
}
