package remus.memory;

import java.lang.foreign.MemorySegment;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import remus.linux.LinuxException;
import remus.linux.SparseFile;

/**
 * Fingerprint of a sparse memory image: the SHA-256 of the SHA-256s of all its blocks of {@link #BLOCK_BYTES}, the last
 * one possibly shorter. It depends on the content alone, not on where the file has holes; a block that is a hole costs
 * next to nothing, because the digest of zeros is known. So a VM's RAM can be compared in a pause.
 */
final class MemoryDigest {
    static final int BLOCK_BYTES = 64 << 10;

    private MemoryDigest() {}

    /**
     * @param memory all of the image, mapped
     * @param file the file behind it
     */
    static byte[] of(MemorySegment memory, SparseFile file) throws LinuxException {
        MessageDigest whole = sha256();
        MessageDigest block = sha256();
        byte[] zeros = block.digest(new byte[BLOCK_BYTES]);
        long size = memory.byteSize();
        long offset = 0;
        while (offset < size) {
            long data = file.nextData(offset);
            long dataStart = data == SparseFile.NONE ? size : data;
            while (offset + BLOCK_BYTES <= dataStart) {
                whole.update(zeros);
                offset += BLOCK_BYTES;
            }
            long dataEnd = dataStart < size ? file.nextHole(dataStart) : size;
            // All blocks that the data touches; their other parts read as zeros. A last, shorter one always goes here.
            while (offset < dataEnd) {
                long length = Math.min(BLOCK_BYTES, size - offset);
                block.update(memory.asSlice(offset, length).asByteBuffer());
                whole.update(block.digest());
                offset += length;
            }
        }
        return whole.digest();
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
