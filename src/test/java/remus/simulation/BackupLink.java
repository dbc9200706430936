package remus.simulation;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.availability.BackupEvent;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.base.Term;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.CheckpointFrames;
import remus.checkpoint.CheckpointReceiver;
import remus.simulation.Connection.End;
import remus.wire.FrameType;
import remus.wire.Hello;
import remus.wire.SessionFrames;
import remus.wire.Welcome;
import remus.wire.WireLimits;

/** A backup's end of the connection to its primary: what comes is decoded by the real code and goes to the real receiver. */
final class BackupLink {
    private final BackupSide side;
    private final Daemon daemon;
    private final World world;
    private final Incoming incoming = new Incoming();
    private @Nullable End end;
    private @Nullable SessionFrames frames;
    private Term term = Term.NONE;

    BackupLink(BackupSide side) {
        this.side = side;
        daemon = side.daemon();
        world = daemon.world();
    }

    /** Of the session that was welcomed last. */
    Term term() {
        return term;
    }

    boolean isOpen() {
        return end != null;
    }

    void send(FrameType type, EpochId epoch) {
        End present = end;
        if (present != null) {
            present.send(Wire.empty(term, type, epoch));
        }
    }

    void say(FrameType type, String reason) {
        End present = end;
        if (present != null) {
            Wire.send(present, term, type, reason);
        }
    }

    /** Welcomes a primary whose hello has been found acceptable. */
    void take(@Nullable End taken, Hello.Mode mode, Term session, EpochId lastWhole) {
        close();
        if (taken == null) {
            return;
        }
        end = taken;
        term = session;
        SessionFrames reads = new SessionFrames(Wire.hello(mode, daemon.name().name(), world.timing()), session);
        frames = reads;
        reads.order().welcomed(mode, lastWhole, List.of());
        Welcome welcome = new Welcome(daemon.name().name(), "7.2.22", List.of(), List.of());
        taken.send(Wire.frame(session, FrameType.WELCOME, lastWhole, Wire.SMALL_BYTES, welcome::encode));
        if (mode == Hello.Mode.NEW) {
            reads.order().readied();
            taken.send(Wire.empty(session, FrameType.READY, EpochId.NONE));
        }
        side.heard();
        taken.readBy(this::read);
    }

    void close() {
        End present = end;
        end = null;
        if (present != null) {
            present.close();
        }
    }

    private void read(End from) {
        SessionFrames reads = frames;
        while (end == from && reads != null) {
            byte[] frame = from.read();
            if (frame == null) {
                if (from.isEnded()) {
                    lost();
                }
                return;
            }
            side.heard();
            try {
                Wire.deliver(frame, reads, incoming);
            } catch (CheckpointException e) {
                failed(e);
                return;
            }
            noteInput(frame);
            world.sabotage().frameRead(side, frame);
            Image present = side.image();
            if (present != null) {
                present.check();
            }
        }
    }

    private void noteInput(byte[] frame) {
        Image present = side.image();
        if (present != null && frame[5] == FrameType.INBOUND_FRAMES.code()) {
            present.noteInput(ByteBuffer.wrap(frame).getLong(WireLimits.HEADER_BYTES));
        }
    }

    /** Memory could not be written: the connection is dropped, and the primary sends again. */
    private void failed(CheckpointException cause) {
        Violation.unless(
                cause.category() == ErrorCategory.RETRY
                        && String.valueOf(cause.getMessage()).contains("could not be written"),
                Rule.WIRE,
                "the backup refuses what its primary sent: %s",
                cause.getMessage());
        daemon.note("fails: %s", cause.getMessage());
        Image present = side.image();
        if (present != null) {
            present.noteApplyFailed();
            present.check();
        }
        lost();
    }

    private void lost() {
        close();
        side.connectionEnded();
    }

    /** What comes from the primary. */
    private final class Incoming extends CheckpointFrames {
        @Override
        protected CheckpointReceiver receiver() {
            Image present = side.image();
            if (present == null) {
                throw new Violation(Rule.CODE, "a frame without an image", null);
            }
            return present.receiver();
        }

        @Override
        protected long nowNanos() {
            return 0; // nobody asks a simulated guest for the time
        }

        @Override
        public void fileData(String name, long offset, MemorySegment bytes) {}

        @Override
        public void diskCompare(int disk, long firstBlock, int count) {}

        @Override
        public void heartbeat(EpochId sealed) {}

        @Override
        public void guestDead(String reason) {
            side.on(new BackupEvent.PrimaryLost("the primary reports that its QEMU is dead", false));
        }

        @Override
        public void handOver(long pausedNanos, String reason) {
            side.on(new BackupEvent.PrimaryLost("the primary hands it over: " + reason, true));
        }

        @Override
        public void signOff(String reason) {
            side.on(new BackupEvent.SignOffReceived(term, reason));
        }
    }
}
