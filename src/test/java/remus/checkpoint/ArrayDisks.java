package remus.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import remus.base.EpochId;
import remus.base.ErrorCategory;

/**
 * A backup's disks as byte arrays. Writes wait for their epoch to be whole; whole epochs wait until {@link #applyOne} or
 * {@link #finishApplying}, and while so many do that {@link #MAX_WAITING} is reached nothing may be acknowledged.
 */
public final class ArrayDisks implements BackupDisks {
    static final int MAX_WAITING = 2;

    /** @param countedBytes 0 where the data is no more than zeros that nobody sent */
    @SuppressWarnings("ArrayRecordComponent") // Nobody compares writes, and nobody changes their data.
    private record Write(EpochId epoch, int disk, int offset, byte[] data, long countedBytes) {}

    private final byte[][] images;
    private final List<Write> pending = new ArrayList<>();
    private final Deque<EpochId> waiting = new ArrayDeque<>();
    private EpochId lastWhole = EpochId.NONE;
    private boolean mixesEpochs;

    ArrayDisks(int count, int bytes) {
        this(new byte[count][bytes]);
    }

    /** @param images with earlier content, which is overwritten */
    public ArrayDisks(byte[][] images) {
        this.images = images.clone();
    }

    /** From now on it breaks the rule that only writes of whole epochs are applied. */
    public void mixEpochs() {
        mixesEpochs = true;
    }

    @Override
    public int count() {
        return images.length;
    }

    @Override
    public long bytes(int disk) {
        return images[disk].length;
    }

    @Override
    public void synchronize(
            int disk, DiskOperation operation, long offset, long length, MemorySegment data, long dataOffset) {
        apply(images, write(EpochId.NONE, disk, operation, offset, length, data, dataOffset));
    }

    private static Write write(
            EpochId epoch,
            int disk,
            DiskOperation operation,
            long offset,
            long length,
            MemorySegment data,
            long dataOffset) {
        byte[] bytes = new byte[(int) length];
        boolean brings = operation == DiskOperation.WRITE;
        if (brings) {
            MemorySegment.copy(data, JAVA_BYTE, dataOffset, bytes, 0, bytes.length);
        }
        return new Write(epoch, disk, (int) offset, bytes, brings ? length : 0);
    }

    private static void apply(byte[][] to, Write write) {
        System.arraycopy(write.data, 0, to[write.disk], write.offset, write.data.length);
    }

    @Override
    public void receive(
            EpochId epoch,
            int disk,
            DiskOperation operation,
            long offset,
            long length,
            MemorySegment data,
            long dataOffset)
            throws CheckpointException {
        if (!epoch.isAfter(lastWhole)) {
            throw new CheckpointException(ErrorCategory.FATAL, "a write of whole epoch " + epoch, null);
        }
        pending.add(write(epoch, disk, operation, offset, length, data, dataOffset));
    }

    @Override
    public DiskWriteCount received(EpochId epoch) {
        DiskWriteCount count = DiskWriteCount.NONE;
        for (Write write : pending) {
            if (write.epoch.equals(epoch)) {
                count = count.plus(write.countedBytes);
            }
        }
        return count;
    }

    @Override
    public void whole(EpochId epoch) {
        lastWhole = epoch;
        waiting.add(epoch);
    }

    public int waitingCount() {
        return waiting.size();
    }

    @Override
    public boolean mayAcknowledge() {
        return waiting.size() < MAX_WAITING;
    }

    @Override
    public void dropAfter(EpochId whole) {
        pending.removeIf(write -> write.epoch.isAfter(whole));
    }

    /** Applies the oldest whole epoch that waits; returns whether there was one. */
    public boolean applyOne() {
        EpochId epoch = waiting.poll();
        if (epoch == null) {
            return false;
        }
        applyThrough(images, mixesEpochs ? epoch.next() : epoch);
        pending.removeIf(write -> !write.epoch.isAfter(epoch));
        return true;
    }

    private void applyThrough(byte[][] to, EpochId epoch) {
        for (Write write : pending) {
            if (!write.epoch.isAfter(epoch)) {
                apply(to, write);
            }
        }
    }

    @Override
    public void finishApplying() {
        while (applyOne()) {
            // Until none waits.
        }
    }

    public byte[] image(int disk) {
        return images[disk];
    }

    /** The disks as they will be when all whole epochs are applied. */
    public byte[][] asOfLastWhole() {
        byte[][] copies = Arrays.stream(images).map(byte[]::clone).toArray(byte[][]::new);
        applyThrough(copies, lastWhole);
        return copies;
    }
}
