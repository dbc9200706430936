package remus.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import remus.base.EpochId;
import remus.base.Invariant.InvariantViolation;
import remus.wire.WireLimits;

class ForwardedWritesTest {
    private static final int MEBIBYTE = 1 << 20;

    private final ForwardedWrites writes = new ForwardedWrites();

    @AfterEach
    void close() {
        writes.close();
    }

    @Test
    void writesComeOutInTheirOrderWithTheirEpoch() {
        add(0, 0, 10, "sync");
        add(2, 0, 20, "one");
        writes.add(epoch(2), 1, DiskOperation.TRIM, 512, 1L << 31, MemorySegment.NULL, 0);
        add(3, 0, 30, "two");
        assertEquals(List.of("0: 10=sync"), next());
        assertEquals(List.of("2: 20=one", "2: TRIM 512+2147483648"), next());
        assertEquals(List.of("3: 30=two"), next());
        assertNull(writes.next());
    }

    @Test
    void aWriteIsSentWithoutWaitingForOthersAndLaterOnesGather() {
        add(2, 0, 1, "a");
        assertEquals(List.of("2: 1=a"), next());
        add(2, 0, 2, "b");
        add(2, 0, 3, "c");
        assertEquals(List.of("2: 2=b", "2: 3=c"), next());
        assertEquals(ForwardedWrites.BLOCK_BYTES, writes.allocatedBytes(), "all in one block");
    }

    @Test
    void whatWasNotAcknowledgedIsSentAgainInWholeBlocks() {
        add(2, 0, 1, "a");
        next();
        add(2, 0, 2, "b");
        next();
        add(3, 0, 3, "c");
        writes.rewind();
        assertTrue(writes.hasUnsentThrough(epoch(2)));
        assertEquals(List.of("2: 1=a", "2: 2=b"), next());
        assertEquals(List.of("3: 3=c"), next());
        writes.dropThrough(epoch(2));
        writes.rewind();
        assertEquals(List.of("3: 3=c"), next());
        writes.dropThrough(epoch(3));
        writes.rewind();
        assertNull(writes.next());
        assertEquals(0, writes.weightBytes());
    }

    @Test
    void writesOfTheSynchronizationAreForgottenWhenTheyAreSent() {
        add(0, 0, 1, "a");
        next();
        assertTrue(writes.weightBytes() > 0, "its memory is still being sent");
        assertNull(writes.next());
        assertEquals(0, writes.weightBytes());
        writes.rewind();
        assertNull(writes.next());
        add(0, 0, 2, "b");
        assertEquals(List.of("0: 2=b"), next());
        assertEquals(ForwardedWrites.BLOCK_BYTES, writes.allocatedBytes(), "memory is used again");
    }

    @Test
    void itIsKnownWhetherAllOfAnEpochIsOut() {
        add(2, 0, 1, "a");
        add(3, 0, 2, "b");
        assertFalse(writes.hasUnsentThrough(epoch(1)));
        assertTrue(writes.hasUnsentThrough(epoch(2)));
        next();
        assertFalse(writes.hasUnsentThrough(epoch(2)));
        assertTrue(writes.hasUnsentThrough(epoch(3)));
        assertEquals(2, writes.addedCount());
        assertEquals(1, writes.sentCount());
    }

    @Test
    void eachEpochIsCounted() {
        MemorySegment data = MemorySegment.ofArray(new byte[MEBIBYTE]);
        for (int i = 0; i < 3; i++) {
            writes.add(epoch(2), 0, DiskOperation.WRITE, 0, MEBIBYTE - 1, data, 1);
        }
        writes.add(epoch(2), 0, DiskOperation.ZERO, 0, 1 << 30, data, 0);
        add(3, 0, 0, "abc");
        assertEquals(new DiskWriteCount(4, 3L * (MEBIBYTE - 1)), writes.count(epoch(2)));
        assertEquals(new DiskWriteCount(1, 3), writes.count(epoch(3)));
        assertEquals(DiskWriteCount.NONE, writes.count(epoch(4)));
    }

    @Test
    void noBatchIsLongerThanAFrame() {
        MemorySegment data = MemorySegment.ofArray(new byte[MEBIBYTE]);
        writes.add(epoch(2), 0, DiskOperation.WRITE, 0, MEBIBYTE, data, 0);
        writes.add(epoch(2), 0, DiskOperation.WRITE, 0, 1, data, 0);
        for (int i = 0; i < WireLimits.MAX_DISK_WRITES; i++) {
            writes.add(epoch(2), 0, DiskOperation.TRIM, 0, 1, data, 0);
        }
        List<Integer> counts = new ArrayList<>();
        for (ForwardedWrites.Batch batch = writes.next(); batch != null; batch = writes.next()) {
            assertTrue(batch.length() <= WireLimits.MAX_BULK_BYTES);
            counts.add(batch.count());
        }
        assertEquals(List.of(1, WireLimits.MAX_DISK_WRITES, 1), counts);
    }

    @Test
    void roomEndsAtTheLimitAndComesBackWithTheAcknowledgement() {
        MemorySegment data = MemorySegment.ofArray(new byte[MEBIBYTE]);
        int count = 0;
        while (writes.hasRoom(epoch(2), MEBIBYTE)) {
            writes.add(epoch(2 + count / 40), 0, DiskOperation.WRITE, 0, MEBIBYTE, data, 0);
            count++;
            assertEquals(count >= 32, writes.isHalfFull());
        }
        assertEquals(63, count, "and what their entries weigh");
        writes.dropThrough(epoch(2));
        assertTrue(writes.hasRoom(epoch(3), MEBIBYTE));
        assertFalse(writes.isHalfFull());
        assertEquals(23L * (MEBIBYTE + ForwardedWrites.OPERATION_BYTES), writes.weightBytes());
    }

    @Test
    void theSynchronizationMayQueueLessThanTheGuest() {
        MemorySegment data = MemorySegment.ofArray(new byte[MEBIBYTE]);
        int count = 0;
        while (writes.hasRoom(EpochId.NONE, MEBIBYTE)) {
            writes.add(EpochId.NONE, 0, DiskOperation.WRITE, 0, MEBIBYTE, data, 0);
            count++;
        }
        assertEquals(7, count);
        assertTrue(writes.hasRoom(epoch(1), MEBIBYTE));
    }

    @Test
    void writesWithoutDataHaveTheirWeightToo() {
        long count = 0;
        while (writes.hasRoom(epoch(2), 0)) {
            writes.add(epoch(2), 0, DiskOperation.ZERO, 0, 512, MemorySegment.NULL, 0);
            count++;
        }
        assertEquals(ForwardedWrites.LIMIT_BYTES / ForwardedWrites.OPERATION_BYTES, count);
        assertEquals(ForwardedWrites.LIMIT_BYTES, writes.allocatedBytes(), "as much as so much data takes");
    }

    @Test
    void epochsNeverGoBack() {
        add(3, 0, 0, "a");
        assertThrows(InvariantViolation.class, () -> add(2, 0, 0, "b"));
        assertThrows(InvariantViolation.class, () -> add(0, 0, 0, "b"));
    }

    @Test
    void whatNoFrameCouldNameIsRefused() {
        MemorySegment data = MemorySegment.ofArray(new byte[MEBIBYTE + 1]);
        for (long length : new long[] {0, -1, MEBIBYTE + 1}) {
            assertThrows(
                    IllegalArgumentException.class,
                    () -> writes.add(epoch(2), 0, DiskOperation.WRITE, 0, length, data, 0));
        }
        assertThrows(
                IllegalArgumentException.class,
                () -> writes.add(epoch(2), 0, DiskOperation.TRIM, 0, 1L << 32, data, 0));
    }

    private static EpochId epoch(long value) {
        return new EpochId(value);
    }

    private void add(long epoch, int disk, long offset, String data) {
        writes.add(epoch(epoch), disk, DiskOperation.WRITE, offset, data.length(), Frames.segment(data), 0);
    }

    /** The next batch: epoch, offset and data of each write. */
    private List<String> next() {
        ForwardedWrites.Batch batch = Objects.requireNonNull(writes.next());
        List<String> lines = new ArrayList<>();
        long at = batch.offset();
        for (int i = 0; i < batch.count(); i++) {
            int kind = batch.table().get(i * WireLimits.DISK_WRITE_BYTES + 1);
            long offset = batch.table().getLong(i * WireLimits.DISK_WRITE_BYTES + 2);
            long length = Integer.toUnsignedLong(batch.table().getInt(i * WireLimits.DISK_WRITE_BYTES + 10));
            if (kind == 1) {
                lines.add(batch.epoch() + ": " + offset + "=" + Frames.text(batch.data(), at, (int) length));
                at += length;
            } else {
                lines.add(batch.epoch() + ": " + (kind == 2 ? "ZERO " : "TRIM ") + offset + "+" + length);
            }
        }
        assertEquals(batch.offset() + batch.length(), at);
        assertEquals(batch.count() * WireLimits.DISK_WRITE_BYTES, batch.table().remaining());
        return lines;
    }
}
