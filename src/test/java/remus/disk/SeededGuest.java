package remus.disk;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;

/** Changes disks at random, as a guest might; of one thread. */
final class SeededGuest {
    private static final int SECTOR = 512;
    private static final int MAX_BYTES = 200 << 10;

    private final Random random;
    private final MemorySegment data = Arena.ofAuto().allocate(MAX_BYTES);

    SeededGuest(long seed) {
        random = new Random(seed);
    }

    /** One change: anywhere, or, as often, about the place where the synchronization is. */
    void change(GuestDisk disk) throws DiskException {
        long bytes = disk.bytes();
        long length = SECTOR * (1L + random.nextInt(random.nextInt(4) == 0 ? MAX_BYTES / SECTOR : 16));
        long offset = random.nextLong(bytes / SECTOR) * SECTOR;
        DiskReplica replica = disk.replica();
        if (replica != null && random.nextBoolean()) {
            offset = (replica.cursor() + length - random.nextLong(2 * length)) / SECTOR * SECTOR;
        }
        offset = Math.clamp(offset, 0, bytes - length);
        boolean durable = random.nextInt(50) == 0;
        switch (random.nextInt(6)) {
            case 0 -> disk.trim(offset, length, durable);
            case 1 -> disk.zero(offset, length, random.nextBoolean(), durable);
            default -> {
                fill(length);
                disk.write(offset, data, 0, length, durable);
            }
        }
    }

    /** Mostly bytes that differ from each other, sometimes zeros. */
    private void fill(long length) {
        byte[] bytes = new byte[(int) length];
        if (random.nextInt(8) > 0) {
            random.nextBytes(bytes);
        }
        MemorySegment.copy(bytes, 0, data, ValueLayout.JAVA_BYTE, 0, bytes.length);
    }
}
