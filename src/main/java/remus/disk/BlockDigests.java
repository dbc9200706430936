package remus.disk;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import remus.checkpoint.DiskForwarding;

/**
 * SHA-256 of an image's blocks, by which two hosts find what differs. A block within a hole is not read: its digest is
 * known. One thread at a time.
 */
final class BlockDigests {
    /** Blocks are compared as a whole. */
    static final int BLOCK_BYTES = DiskForwarding.COMPARED_BLOCK_BYTES;

    /** Most blocks of one question. */
    static final int MAX_BLOCKS = DiskForwarding.MAX_COMPARED_BLOCKS;

    /** Bytes of one digest. */
    static final int DIGEST_BYTES = 32;

    private final MemorySegment buffer;
    private final MessageDigest sha256;
    private final byte[] zeroBlock;

    /** @param arena keeps a buffer of one block */
    BlockDigests(Arena arena) {
        buffer = arena.allocate(BLOCK_BYTES);
        try {
            sha256 = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
        zeroBlock = sha256.digest(new byte[BLOCK_BYTES]);
    }

    /** How many blocks a disk of that size has; the last one may be shorter. */
    static long count(long bytes) {
        return (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
    }

    /** The digests of {@code count} blocks from {@code firstBlock} on, one behind the other. */
    byte[] of(BlockImage image, long firstBlock, int count) throws DiskException {
        byte[] digests = new byte[count * DIGEST_BYTES];
        long nextData = -1;
        for (int block = 0; block < count; block++) {
            long offset = (firstBlock + block) * BLOCK_BYTES;
            int length = (int) Math.min(BLOCK_BYTES, image.bytes() - offset);
            if (nextData < offset) {
                nextData = image.nextData(offset);
            }
            boolean isHole = nextData >= offset + length;
            byte[] digest = isHole ? ofZeros(length) : read(image, offset, length);
            System.arraycopy(digest, 0, digests, block * DIGEST_BYTES, DIGEST_BYTES);
        }
        return digests;
    }

    private byte[] read(BlockImage image, long offset, int length) throws DiskException {
        image.read(offset, buffer, 0, length);
        return of(buffer.asSlice(0, length));
    }

    /** The digest of one block that is in memory. */
    byte[] of(MemorySegment block) {
        sha256.update(block.asByteBuffer());
        return sha256.digest();
    }

    /** The digest of a block of zeros; {@code length} bytes, fewer than a whole block at a disk's end only. */
    byte[] ofZeros(int length) {
        return length == BLOCK_BYTES ? zeroBlock : sha256.digest(new byte[length]);
    }
}
