package remus.disk;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.checkpoint.DiskForwarding;
import remus.checkpoint.DiskOperation;
import remus.checkpoint.DiskWriteCount;

/** A channel with a backup behind it: keeps what is forwarded, and makes the images of any epoch from that. */
final class FakeBackup implements DiskForwarding, AutoCloseable {
    /** Something forwarded; {@code data} is empty for what brings none. */
    @SuppressWarnings("ArrayRecordComponent")
    record Forwarded(EpochId epoch, int disk, DiskOperation operation, long offset, long length, byte[] data) {}

    private final List<byte[]> before;
    private final List<Forwarded> log = new ArrayList<>();
    private final ExecutorService channel = Executors.newSingleThreadExecutor();
    private boolean full;
    private boolean through;
    private boolean closed;
    private int waiting;
    private int comparisons;

    /** Gets the answers to comparisons; null: nobody answers. */
    volatile @Nullable DiskSynchronizer answersTo;

    /** @param before the images that the backup has at the beginning; not changed */
    FakeBackup(List<byte[]> before) {
        this.before = before;
    }

    /** A backup whose images have never been written. */
    static FakeBackup empty(List<GuestDisk> disks) {
        return new FakeBackup(
                disks.stream().map(disk -> new byte[(int) disk.bytes()]).toList());
    }

    @Override
    public synchronized boolean forward(
            EpochId epoch,
            int disk,
            DiskOperation operation,
            long offset,
            long length,
            MemorySegment data,
            long dataOffset) {
        waiting++;
        try {
            while (full && !through && !closed) {
                wait();
            }
        } catch (InterruptedException e) {
            throw new AssertionError("nobody interrupts a request", e);
        } finally {
            waiting--;
        }
        if (closed) {
            return false;
        }
        boolean write = operation == DiskOperation.WRITE;
        check(epoch, write, length);
        byte[] bytes = write ? data.asSlice(dataOffset, length).toArray(ValueLayout.JAVA_BYTE) : new byte[0];
        log.add(new Forwarded(epoch, disk, operation, offset, length, bytes));
        return true;
    }

    private void check(EpochId epoch, boolean write, long length) {
        if (length < 1 || (write && length > MAX_WRITE_BYTES) || length > Integer.MAX_VALUE) {
            throw new AssertionError("forwarded length=" + length);
        }
        if (!log.isEmpty() && log.getLast().epoch().isAfter(epoch)) {
            throw new AssertionError(
                    "epoch=" + epoch + " after " + log.getLast().epoch());
        }
    }

    @Override
    public synchronized void letWritesThrough(boolean let) {
        through = let;
        notifyAll();
    }

    @Override
    public synchronized void compare(int disk, long firstBlock, int count) {
        comparisons += count;
        byte[] image = imagesAfter(EpochId.NONE).get(disk);
        channel.execute(() -> {
            DiskSynchronizer asker = answersTo;
            if (asker != null) {
                asker.digests(disk, firstBlock, digests(image, firstBlock, count));
            }
        });
    }

    private static byte[] digests(byte[] image, long firstBlock, int count) {
        byte[] digests = new byte[32 * count];
        for (int i = 0; i < count; i++) {
            int from = (int) (firstBlock + i) * COMPARED_BLOCK_BYTES;
            byte[] block = Arrays.copyOfRange(image, from, Math.min(image.length, from + COMPARED_BLOCK_BYTES));
            System.arraycopy(sha256(block), 0, digests, 32 * i, 32);
        }
        return digests;
    }

    private static byte[] sha256(byte[] block) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(block);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    /** There is no more room, or there is again. */
    synchronized void setFull(boolean isFull) {
        full = isFull;
        notifyAll();
    }

    synchronized int waiting() {
        return waiting;
    }

    synchronized List<Forwarded> log() {
        return List.copyOf(log);
    }

    synchronized int comparedBlocks() {
        return comparisons;
    }

    synchronized DiskWriteCount count(EpochId epoch) {
        DiskWriteCount count = DiskWriteCount.NONE;
        for (Forwarded entry : log) {
            count = entry.epoch().equals(epoch) ? count.plus(entry.data().length) : count;
        }
        return count;
    }

    /** The images as they are with the changes of all epochs through {@code last}. */
    synchronized List<byte[]> imagesAfter(EpochId last) {
        return imagesFrom(
                log.stream().filter(entry -> !entry.epoch().isAfter(last)).toList());
    }

    /** The images as they are with {@code changes}. */
    List<byte[]> imagesFrom(List<Forwarded> changes) {
        List<byte[]> images = before.stream().map(byte[]::clone).toList();
        for (Forwarded entry : changes) {
            byte[] image = images.get(entry.disk());
            int from = (int) entry.offset();
            switch (entry.operation()) {
                case WRITE -> System.arraycopy(entry.data(), 0, image, from, entry.data().length);
                case ZERO, TRIM -> Arrays.fill(image, from, from + (int) entry.length(), (byte) 0);
            }
        }
        return images;
    }

    /** The channel ends. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            notifyAll();
        }
        channel.shutdown();
    }
}
