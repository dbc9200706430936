package remus.simulation;

import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.Set;
import remus.base.EpochId;
import remus.checkpoint.ArrayDisks;
import remus.checkpoint.BackupDisks;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.StagedCheckpoint;
import remus.wire.FrameType;
import remus.wire.WireLimits;

/** Deliberate faults of what a checkpoint consists of. */
final class CheckpointFaults {
    private CheckpointFaults() {}

    /** A checkpoint's end overtakes its disk writes, and the backup acknowledges without them. */
    static final class EndsBeforeItsDiskWrites extends Sabotage {
        @Override
        boolean endsBeforeItsDiskWrites() {
            return true;
        }
    }

    /** The backup writes to its images what is not whole yet. */
    static final class MixesDiskWrites extends Sabotage {
        @Override
        BackupDisks backupDisks(ArrayDisks real) {
            real.mixEpochs();
            return real;
        }
    }

    /** What was sent before the connection broke is taken for what the backup has. */
    static final class KeepsBase extends Sabotage {
        @Override
        boolean keepsBaseWhenConnected() {
            return true;
        }
    }

    /** Every other time the mark is a frame too far. */
    static final class TrimsTooEarly extends Sabotage {
        @Override
        long inboundMark(StagedCheckpoint checkpoint) {
            return checkpoint.inboundMark() + checkpoint.epoch().value() % 2;
        }
    }

    /** What has to be sent again comes without its pages. */
    static final class ForgetsPages extends Sabotage {
        private final Set<String> sent = new HashSet<>();

        @Override
        boolean forgetsPages(StagedCheckpoint checkpoint) {
            return !sent.add(System.identityHashCode(checkpoint) + "." + checkpoint.epoch());
        }
    }

    /** When a connection is lost, what has come of a checkpoint is taken for all of it. */
    static final class AppliesPartial extends Sabotage {
        private long epoch;
        private long pages;
        private long state;
        private int frames;

        @Override
        void frameRead(BackupSide side, byte[] frame) {
            ByteBuffer bytes = ByteBuffer.wrap(frame);
            int type = frame[5];
            if (type == FrameType.CHECKPOINT_BEGIN.code()) {
                epoch = bytes.getLong(24);
                pages = 0;
                state = 0;
                frames = 0;
            } else if (type == FrameType.CHECKPOINT_END.code() || type == FrameType.HELLO.code()) {
                epoch = 0;
            } else if (type == FrameType.PAGES.code() || type == FrameType.ZERO_PAGES.code()) {
                pages += count(bytes, WireLimits.RUN_BYTES);
            } else if (type == FrameType.CODED_PAGES.code()) {
                pages += count(bytes, WireLimits.RUN_BYTES + 1);
            } else if (type == FrameType.DEVICE_STATE.code()) {
                state += frame.length - WireLimits.HEADER_BYTES - 2 * Long.BYTES;
            } else if (type == FrameType.OUTPUT_FRAMES.code()) {
                frames += bytes.getInt(WireLimits.HEADER_BYTES);
            }
        }

        private static long count(ByteBuffer frame, int runBytes) {
            long count = 0;
            int runs = frame.getInt(WireLimits.HEADER_BYTES);
            for (int run = 0; run < runs; run++) {
                count += frame.getInt(WireLimits.HEADER_BYTES + Integer.BYTES + run * runBytes + Long.BYTES);
            }
            return count;
        }

        @Override
        void connectionLost(BackupSide side, Image image) {
            long partial = epoch;
            epoch = 0;
            if (partial == 0 || state == 0) {
                return;
            }
            try {
                EpochId of = new EpochId(partial);
                image.receiver().end(of, pages, state, frames, image.disks().received(of), null);
                image.check();
            } catch (CheckpointException e) {
                side.daemon().note("even this was too little: %s", e.getMessage());
            }
        }
    }
}
