package remus.disk;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import remus.base.EpochId;
import remus.checkpoint.DiskWriteCount;

/** What a guest wrote in one epoch, in order. One thread at a time. */
final class EpochWrites {
    private final EpochId epoch;
    private final List<DiskWrite> writes = new ArrayList<>();
    private DiskWriteCount received = DiskWriteCount.NONE;

    EpochWrites(EpochId epoch) {
        this.epoch = epoch;
    }

    /** Adds one operation of the guest, in one or several pieces. */
    void add(List<DiskWrite> pieces) {
        writes.addAll(pieces);
        received = received.plus(pieces.stream().mapToLong(DiskWrite::dataBytes).sum());
    }

    EpochId epoch() {
        return epoch;
    }

    List<DiskWrite> writes() {
        return Collections.unmodifiableList(writes);
    }

    boolean isEmpty() {
        return writes.isEmpty();
    }

    /** What the guest did, however many pieces it is kept in. */
    DiskWriteCount received() {
        return received;
    }

    long dataBytes() {
        return received.bytes();
    }

    /** What this is counted as against {@link StandbyLimits}. */
    long accountedBytes() {
        return dataBytes() + (long) writes.size() * StandbyLimits.OPERATION_BYTES;
    }
}
