package remus.memory;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MemoryDigestTest {
    private static final int PAGE_BYTES = GuestMemory.PAGE_BYTES;

    @ParameterizedTest
    @ValueSource(ints = {1, 15, 16, 17, 160, 1_000})
    void itIsTheDigestOfTheDigestsOfAllBlocksWhereverTheHolesAre(int pages) throws Exception {
        Random random = new Random(pages);
        SharedRamFile file = RamFiles.create(pages);
        try (GuestMemory memory = GuestMemory.forWriting(file)) {
            for (int i = 0; i < 20; i++) {
                assertArrayEquals(reference(memory.bytes(), bytesOf(memory)), memory.digest(), "pages=" + pages);
                memory.segment().set(ValueLayout.JAVA_BYTE, random.nextLong(memory.bytes()), (byte) random.nextInt());
            }
        } finally {
            file.delete();
        }
    }

    @Test
    void equalContentHasEqualDigestsThoughOneSideHasHolesAndTheOtherZeros() throws Exception {
        SharedRamFile sparse = RamFiles.create(64);
        SharedRamFile full = RamFiles.create(64);
        try (GuestMemory one = GuestMemory.forWriting(sparse);
                GuestMemory other = GuestMemory.forWriting(full)) {
            other.segment().fill((byte) 0);
            assertArrayEquals(one.digest(), other.digest());
            assertEquals(-1, one.file().nextData(0), "taking a digest gives holes no memory");
            other.segment().asSlice(63L * PAGE_BYTES, 1).fill((byte) 1);
            assertFalse(Arrays.equals(one.digest(), other.digest()));
        } finally {
            sparse.delete();
            full.delete();
        }
    }

    private static byte[] bytesOf(GuestMemory memory) throws Exception {
        // Read by way of the file, so that the mapping's holes stay holes.
        byte[] bytes = new byte[(int) memory.bytes()];
        long data = memory.file().nextData(0);
        while (data >= 0) {
            long end = memory.file().nextHole(data);
            MemorySegment.copy(memory.segment(), data, MemorySegment.ofArray(bytes), data, end - data);
            data = end < memory.bytes() ? memory.file().nextData(end) : -1;
        }
        return bytes;
    }

    private static byte[] reference(long size, byte[] bytes) throws Exception {
        MessageDigest whole = MessageDigest.getInstance("SHA-256");
        for (int at = 0; at < size; at += MemoryDigest.BLOCK_BYTES) {
            MessageDigest block = MessageDigest.getInstance("SHA-256");
            block.update(bytes, at, (int) Math.min(MemoryDigest.BLOCK_BYTES, size - at));
            whole.update(block.digest());
        }
        return whole.digest();
    }
}
