package remus.bench;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.zip.CRC32C;
import remus.memory.GuestMemory;

/**
 * Looks at files behind guests' RAM, page by page, from outside. They are read and not mapped: reading a hole of a mapped
 * file would fill it with memory.
 */
public final class RamPages {
    private static final int CHUNK_BYTES = 1 << 20;

    private RamPages() {}

    /**
     * How many pages of two guests' RAM differ, byte by byte. Neither guest may run.
     *
     * @throws IOException also where the files are not of one size
     */
    public static long differing(Path one, Path other) throws IOException {
        try (FileChannel first = FileChannel.open(one);
                FileChannel second = FileChannel.open(other)) {
            long bytes = first.size();
            if (second.size() != bytes) {
                throw new IOException("%s has %d bytes, %s has %d".formatted(one, bytes, other, second.size()));
            }
            ByteBuffer mine = ByteBuffer.allocateDirect(CHUNK_BYTES);
            ByteBuffer theirs = ByteBuffer.allocateDirect(CHUNK_BYTES);
            long differing = 0;
            for (long at = 0; at < bytes; at += CHUNK_BYTES) {
                read(first, mine, at, bytes);
                read(second, theirs, at, bytes);
                if (mine.equals(theirs)) {
                    continue;
                }
                for (int page = 0; page < mine.limit(); page += GuestMemory.PAGE_BYTES) {
                    ByteBuffer slice = mine.slice(page, GuestMemory.PAGE_BYTES);
                    differing += slice.equals(theirs.slice(page, GuestMemory.PAGE_BYTES)) ? 0 : 1;
                }
            }
            return differing;
        }
    }

    /** A checksum of each page, of a guest that may run. */
    public static int[] checksums(Path ram) throws IOException {
        try (FileChannel channel = FileChannel.open(ram)) {
            long bytes = channel.size();
            int[] checksums = new int[Math.toIntExact(bytes / GuestMemory.PAGE_BYTES)];
            ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK_BYTES);
            CRC32C crc = new CRC32C();
            int page = 0;
            for (long at = 0; at < bytes; at += CHUNK_BYTES) {
                read(channel, chunk, at, bytes);
                for (int offset = 0; offset < chunk.limit(); offset += GuestMemory.PAGE_BYTES) {
                    crc.reset();
                    crc.update(chunk.slice(offset, GuestMemory.PAGE_BYTES));
                    checksums[page++] = (int) crc.getValue();
                }
            }
            return checksums;
        }
    }

    /** How many pages have another checksum now. */
    public static long changed(int[] before, int[] now) {
        if (before.length != now.length) {
            throw new IllegalArgumentException("pages=" + before.length + " and " + now.length);
        }
        long changed = 0;
        for (int page = 0; page < now.length; page++) {
            changed += before[page] == now[page] ? 0 : 1;
        }
        return changed;
    }

    private static void read(FileChannel channel, ByteBuffer chunk, long at, long bytes) throws IOException {
        chunk.clear().limit((int) Math.min(CHUNK_BYTES, bytes - at));
        while (chunk.hasRemaining()) {
            if (channel.read(chunk, at + chunk.position()) < 0) {
                throw new IOException("the RAM file has become shorter");
            }
        }
        chunk.flip();
    }
}
