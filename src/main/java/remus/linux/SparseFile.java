package remus.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * A file of which parts may have no memory or disk behind them, such as guest RAM on tmpfs: tells data from holes
 * (lseek(2), SEEK_DATA and SEEK_HOLE), how much there is of it (statx(2)), and makes holes (fallocate(2)). Confined to one
 * thread at a time.
 */
public final class SparseFile implements AutoCloseable {
    /** What {@link #nextData} returns where no data follows. */
    public static final long NONE = -1;

    static final int SEEK_DATA = 3;
    static final int SEEK_HOLE = 4;
    static final int FALLOC_FL_KEEP_SIZE = 1;
    static final int FALLOC_FL_PUNCH_HOLE = 2;

    private static final int AT_EMPTY_PATH = 0x1000;
    private static final int STATX_BLOCKS = 0x400;

    /** Of struct statx (linux/stat.h). */
    private static final int STATX_BYTES = 256;

    private static final int STX_BLOCKS = 48;

    /** Unit of stx_blocks, whatever the file system's own blocks are. */
    private static final int STATX_BLOCK_BYTES = 512;

    private final FileDescriptor descriptor;

    private SparseFile(FileDescriptor descriptor) {
        this.descriptor = descriptor;
    }

    /** Opens an existing file for telling data from holes and, if {@code writable}, for making holes. */
    public static SparseFile open(Path path, boolean writable) throws LinuxException {
        return new SparseFile(FileDescriptor.open(path, writable ? FileDescriptor.O_RDWR : FileDescriptor.O_RDONLY));
    }

    /** Offset of the first data at or after {@code offset}, {@link #NONE} where there is only a hole to the end. */
    public long nextData(long offset) throws LinuxException {
        long result = Syscalls.call(SyscallNumbers.LSEEK, descriptor.number(), offset, SEEK_DATA);
        return result == -Errno.ENXIO ? NONE : Syscalls.check("lseek(SEEK_DATA, " + descriptor + ")", result);
    }

    /** Offset of the first hole at or after {@code offset}, which lies in the file; the end of the file counts as one. */
    public long nextHole(long offset) throws LinuxException {
        return Syscalls.check(
                "lseek(SEEK_HOLE, " + descriptor + ")",
                Syscalls.call(SyscallNumbers.LSEEK, descriptor.number(), offset, SEEK_HOLE));
    }

    /** How much memory or disk lies behind the file, in bytes. */
    public long allocatedBytes() throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = arena.allocate(JAVA_BYTE);
            MemorySegment found = arena.allocate(STATX_BYTES, Long.BYTES);
            // SAFETY: both segments live until the arena is closed, after the call; the name is an empty string, and
            // the
            // kernel writes one struct statx, whose size is part of its interface.
            long result = Syscalls.call(
                    SyscallNumbers.STATX,
                    descriptor.number(),
                    name.address(),
                    AT_EMPTY_PATH,
                    STATX_BLOCKS,
                    found.address(),
                    0);
            Syscalls.check("statx(" + descriptor + ")", result);
            return found.get(JAVA_LONG, STX_BLOCKS) * STATX_BLOCK_BYTES;
        }
    }

    /** Gives back what lies behind the range, which from then on reads as zeros; the file keeps its size. */
    public void punchHole(long offset, long bytes) throws LinuxException {
        long result;
        do {
            result = Syscalls.call(
                    SyscallNumbers.FALLOCATE,
                    descriptor.number(),
                    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    offset,
                    bytes,
                    0,
                    0);
        } while (result == -Errno.EINTR);
        Syscalls.check("fallocate(PUNCH_HOLE, " + descriptor + ")", result);
    }

    @Override
    public void close() {
        descriptor.close();
    }
}
