package remus.checkpoint;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.Random;
import remus.base.EpochId;

/**
 * The disks of the model's guest, for one session: what the guest writes is forwarded with its epoch, as long as the
 * synchronization goes on without one and only where that has been. Now and then a flush of the guest's is answered in a
 * pause before the disk has what it promises: then the epoch may not be committed before it has.
 */
final class ModelDisks implements CheckpointDevice {
    /** What the model may break here. */
    interface Faults {
        boolean skipsWrite();

        boolean losesWrite();

        boolean commitsTooEarly();
    }

    static final int DISKS = 2;
    static final int DISK_BYTES = 48;
    private static final int STEP_BYTES = 7;
    private static final int MAX_LENGTH = 9;

    private final Random random;
    private final DiskForwarding channel;
    private final Faults faults;
    private final byte[][] contents;
    private final Deque<EpochId> owed = new ArrayDeque<>();
    private EpochId tag = EpochId.NONE;
    private DiskWriteCount count = DiskWriteCount.NONE;
    private int synchronizedBytes;
    private boolean ended;

    /** @param contents the guest's disks, which outlive the session */
    ModelDisks(Random random, DiskForwarding channel, byte[][] contents, Faults faults) {
        this.random = random;
        this.channel = channel;
        this.contents = contents;
        this.faults = faults;
    }

    /** Brings the next piece to the backup; returns whether that was the last. */
    boolean synchronizeSome() {
        int disk = synchronizedBytes / DISK_BYTES;
        int offset = synchronizedBytes % DISK_BYTES;
        int length = Math.min(STEP_BYTES, DISK_BYTES - offset);
        MemorySegment data = MemorySegment.ofArray(contents[disk]);
        channel.forward(EpochId.NONE, disk, DiskOperation.WRITE, offset, length, data, offset);
        synchronizedBytes += length;
        return synchronizedBytes == DISKS * DISK_BYTES;
    }

    /** The guest writes somewhere. */
    void write() {
        int disk = random.nextInt(DISKS);
        int offset = random.nextInt(DISK_BYTES);
        int length = 1 + random.nextInt(Math.min(MAX_LENGTH, DISK_BYTES - offset));
        DiskOperation operation = random.nextInt(4) == 0 ? DiskOperation.TRIM : DiskOperation.WRITE;
        byte[] data = new byte[length];
        if (operation == DiskOperation.WRITE) {
            random.nextBytes(data);
        }
        System.arraycopy(data, 0, contents[disk], offset, length);
        boolean isAhead = tag.equals(EpochId.NONE) && disk * DISK_BYTES + offset >= synchronizedBytes;
        if (ended || isAhead || (!tag.equals(EpochId.NONE) && faults.skipsWrite())) {
            return;
        }
        count = count.plus(operation == DiskOperation.WRITE ? length : 0);
        if (tag.equals(EpochId.NONE) || !faults.losesWrite()) {
            channel.forward(tag, disk, operation, offset, length, MemorySegment.ofArray(data), 0);
        }
    }

    byte[][] copy() {
        return Arrays.stream(contents).map(byte[]::clone).toArray(byte[][]::new);
    }

    /** Whether all that was promised to the guest up to the end of {@code epoch} is on the local disk. */
    boolean isDurable(EpochId epoch) {
        return owed.isEmpty() || owed.element().isAfter(epoch);
    }

    /** The local disk has done what it owed longest. */
    void flushOne() {
        owed.poll();
    }

    @Override
    public void setup() {}

    @Override
    public void suspending(EpochId epoch) {
        channel.letWritesThrough(true);
        if (random.nextInt(4) == 0) {
            owed.add(epoch);
        }
    }

    @Override
    public void suspended(StagedCheckpoint checkpoint) {}

    @Override
    public void saved(StagedCheckpoint checkpoint) {
        if (!tag.equals(EpochId.NONE)) {
            checkpoint.setDiskWrites(count);
        }
        count = DiskWriteCount.NONE;
        tag = checkpoint.epoch().next();
    }

    @Override
    public void resumed(EpochId epoch) {
        channel.letWritesThrough(false);
    }

    @Override
    public boolean mayCommit(EpochId epoch) {
        return isDurable(epoch) || faults.commitsTooEarly();
    }

    @Override
    public void commit(EpochId epoch) {}

    @Override
    public void abort() {
        ended = true;
    }
}
