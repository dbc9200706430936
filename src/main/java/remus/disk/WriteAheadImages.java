package remus.disk;

import java.util.Arrays;
import java.util.List;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.base.Invariant;

/**
 * Brings writes into a backup's images so that images and redo log together equal a whole checkpoint at every moment from
 * the first whole one on, whenever the power goes.
 *
 * <p>Invariants: no write of a checkpoint reaches an image before it is durable in the log; the log is emptied only when
 * the images are durable. States: SYNCHRONIZING ({@link #synchronize}; the images are no checkpoint) → CONSISTENT
 * ({@link #begin}) → ENDED ({@link #end}).
 *
 * <p>After a {@link DiskException} the same call may be made again. What images took and did not make durable is then
 * written to them anew from the log: a failed fdatasync leaves the kernel's copy in doubt, and a second one proves
 * nothing. The synchronization has no log, so a failed fdatasync ends it: nobody knows what the images took, and every
 * later call fails. One thread at a time.
 */
final class WriteAheadImages {
    private final RedoLog log;
    private final List<? extends BlockImage> images;
    private final StandbyLimits limits;
    private final boolean[] isDirty;
    private EpochId last = EpochId.NONE;
    private long unsyncedBytes;
    private long oldestRecordNanos;
    private boolean isInDoubt;
    private boolean isLost;

    /** @param log of the same disks, which the caller closes */
    WriteAheadImages(RedoLog log, List<? extends BlockImage> images, StandbyLimits limits) {
        this.log = log;
        this.images = List.copyOf(images);
        this.limits = limits;
        this.isDirty = new boolean[images.size()];
    }

    boolean isConsistent() {
        return log.state() == LogHeader.State.CONSISTENT;
    }

    /** The last checkpoint whose writes are safe here. */
    EpochId last() {
        return last;
    }

    long logBytes() {
        return log.usedBytes();
    }

    /** A write of the synchronization, which now and then makes the images durable. */
    void synchronize(DiskWrite write) throws DiskException {
        Invariant.check(log.state() == LogHeader.State.SYNCHRONIZING, "synchronizing images that are %s", log.state());
        expectTrusted();
        apply(write);
        unsyncedBytes += write.dataBytes() + StandbyLimits.OPERATION_BYTES;
        if (unsyncedBytes >= limits.synchronizeSyncBytes()) {
            sync();
        }
    }

    /** The first whole checkpoint: with it the images are consistent. */
    void begin(EpochWrites first) throws DiskException {
        Invariant.check(log.state() == LogHeader.State.SYNCHRONIZING, "beginning with images that are %s", log.state());
        expectTrusted();
        for (DiskWrite write : first.writes()) {
            apply(write);
        }
        sync();
        log.startFrom(first.epoch());
        last = first.epoch();
    }

    /** Makes the writes of whole checkpoints durable in the log, after which {@link #write} may be called with them. */
    void record(List<EpochWrites> epochs, long nowNanos) throws DiskException {
        repair();
        long bytes = epochs.stream()
                .filter(writes -> !writes.isEmpty())
                .mapToLong(RedoLog::recordBytes)
                .sum();
        if (!log.hasRoomFor(bytes)) {
            empty();
        }
        boolean wasEmpty = log.usedBytes() == 0;
        log.append(epochs);
        if (wasEmpty) {
            oldestRecordNanos = nowNanos;
        }
        for (EpochWrites writes : epochs) {
            Invariant.check(writes.epoch().isAfter(last), "epoch=%s after epoch=%s", writes.epoch(), last);
            last = writes.epoch();
        }
        // They belong into the images from here on, and are not there yet.
        isInDoubt = bytes > 0;
    }

    /** Brings into the images what {@link #record} was called with just before. */
    void write(List<EpochWrites> epochs) throws DiskException {
        for (EpochWrites writes : epochs) {
            for (DiskWrite write : writes.writes()) {
                apply(write);
            }
        }
        isInDoubt = false;
    }

    /** Brings into the images what an earlier failure has kept out of them. */
    void repair() throws DiskException {
        expectTrusted();
        if (isInDoubt) {
            Arrays.fill(isDirty, true);
            log.replay(images);
            isInDoubt = false;
        }
    }

    private void expectTrusted() throws DiskException {
        if (isLost) {
            throw new DiskException(
                    ErrorCategory.DEGRADE,
                    "the images can't be trusted since they failed during the synchronization: it has to begin anew",
                    0,
                    null);
        }
    }

    /** Time until {@link #empty} is due; {@link Long#MAX_VALUE} while nothing is logged. */
    long nanosUntilDue(long nowNanos) {
        if (log.usedBytes() == 0) {
            return Long.MAX_VALUE;
        }
        return log.usedBytes() >= limits.logEmptiedBytes()
                ? 0
                : Math.max(0, limits.logEmptiedNanos() - (nowNanos - oldestRecordNanos));
    }

    /** Makes the images durable, then empties the log. */
    void empty() throws DiskException {
        repair();
        sync();
        log.startFrom(last);
    }

    /** Makes the images durable and ends the log: from here on somebody else writes to them. */
    void end() throws DiskException {
        Invariant.check(log.state() != LogHeader.State.SYNCHRONIZING, "no checkpoint is in the images");
        repair();
        sync();
        log.end(last);
    }

    private void apply(DiskWrite write) throws DiskException {
        isDirty[write.disk()] = true;
        write.applyTo(images.get(write.disk()));
    }

    private void sync() throws DiskException {
        for (int disk = 0; disk < isDirty.length; disk++) {
            if (isDirty[disk]) {
                try {
                    images.get(disk).sync();
                } catch (DiskException e) {
                    isInDoubt = isConsistent();
                    isLost = !isInDoubt;
                    throw e;
                }
                isDirty[disk] = false;
            }
        }
        unsyncedBytes = 0;
    }
}
