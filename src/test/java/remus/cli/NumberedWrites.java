package remus.cli;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;

/**
 * A load whose order can be told from the disk: the guest writes blocks with growing numbers, one after the other, past
 * the page cache, and begins again at the front when it is at the end. So the disk, as it was at any moment, holds the
 * latest number of each block, and nothing later than the last.
 *
 * @param run tells this run's numbers from those of earlier ones on the same disk; 1 or more, each higher than the last
 */
record NumberedWrites(int run) {
    private static final int BLOCK_BYTES = 4096;
    private static final long BLOCKS = DiskGuest.DATA_BYTES / BLOCK_BYTES;

    /** A number is its run and its place in that. */
    private static final int RUN_SHIFT = 32;

    /** For {@link DiskGuest#background}: ends by itself when a write fails. */
    String script() {
        return """
                perl -e '
                  $SIG{PIPE} = "IGNORE";
                  $number = %d << %d;
                  while (1) {
                    open(DISK, "|-", "dd of=/dev/vdb bs=%d iflag=fullblock oflag=direct conv=notrunc status=none") or exit;
                    for (1 .. %d) { print DISK pack("Q>", $number++) x %d or exit }
                    close(DISK) or exit;
                  }'
                """.formatted(run, RUN_SHIFT, BLOCK_BYTES, BLOCKS, BLOCK_BYTES / Long.BYTES);
    }

    /**
     * Checks that the image is one that the disk was at some moment of the run.
     *
     * @return how many blocks had been written then
     */
    long expectMoment(Path image) throws IOException {
        long[] numbers = numbers(image);
        long last = -1;
        for (long number : numbers) {
            if (number >>> RUN_SHIFT == run) {
                last = Math.max(last, number & 0xffff_ffffL);
            }
        }
        for (int block = 0; block < BLOCKS; block++) {
            long number = numbers[block];
            long rounds = (last - block + BLOCKS) / BLOCKS;
            String where = "block %d of %s has number %x, the last one is %x of run %d"
                    .formatted(block, image, number, last, run);
            if (rounds == 0) {
                assertTrue(number >>> RUN_SHIFT < run, where);
            } else {
                assertTrue(number == ((long) run << RUN_SHIFT) + block + (rounds - 1) * BLOCKS, where);
            }
        }
        return last + 1;
    }

    private static long[] numbers(Path image) throws IOException {
        long[] numbers = new long[(int) BLOCKS];
        ByteBuffer bytes = ByteBuffer.allocate(BLOCK_BYTES);
        try (FileChannel channel = FileChannel.open(image)) {
            for (int block = 0; block < BLOCKS; block++) {
                bytes.clear();
                while (bytes.hasRemaining() && channel.read(bytes) >= 0) {
                    // until the block is complete
                }
                bytes.flip();
                long number = bytes.getLong();
                while (bytes.hasRemaining()) {
                    assertTrue(bytes.getLong() == number, "block %d of %s is torn".formatted(block, image));
                }
                numbers[block] = number;
            }
        }
        return numbers;
    }
}
