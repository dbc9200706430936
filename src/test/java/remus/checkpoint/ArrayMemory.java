package remus.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import remus.base.ErrorCategory;

/** A standby's RAM in a byte array, whose writes can be made to fail. */
public final class ArrayMemory implements BackupMemory {
    static final int PAGE_BYTES = 64;

    private final int pageBytes;
    private final byte[] bytes;
    private int writesUntilFailure = Integer.MAX_VALUE;

    ArrayMemory(int pageCount) {
        this(pageCount, PAGE_BYTES);
    }

    public ArrayMemory(int pageCount, int pageBytes) {
        this.pageBytes = pageBytes;
        bytes = new byte[pageCount * pageBytes];
    }

    public byte[] bytes() {
        return bytes;
    }

    /** After {@code writes} more writes one fails. */
    public void failAfter(int writes) {
        writesUntilFailure = writes;
    }

    @Override
    public long pageCount() {
        return bytes.length / pageBytes;
    }

    @Override
    public void write(long firstPage, int count, MemorySegment data, long offset) throws CheckpointException {
        failIfTold();
        MemorySegment.copy(data, JAVA_BYTE, offset, bytes, (int) firstPage * pageBytes, count * pageBytes);
    }

    @Override
    public void read(long page, MemorySegment target, long offset) {
        MemorySegment.copy(bytes, (int) page * pageBytes, target, JAVA_BYTE, offset, pageBytes);
    }

    @Override
    public void zero(long firstPage, int count) throws CheckpointException {
        failIfTold();
        Arrays.fill(bytes, (int) firstPage * pageBytes, (int) (firstPage + count) * pageBytes, (byte) 0);
    }

    private void failIfTold() throws CheckpointException {
        if (writesUntilFailure-- == 0) {
            writesUntilFailure = Integer.MAX_VALUE;
            throw new CheckpointException(ErrorCategory.RETRY, "the standby's RAM could not be written", null);
        }
    }

    @Override
    public byte[] digest() {
        return digest(bytes);
    }

    static byte[] digest(byte[] bytes) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(bytes);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("each JDK has SHA-256", e);
        }
    }
}
