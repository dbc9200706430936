package remus.disk;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import remus.linux.Errno;

/** Puts the replies of the transmission phase into buffers, as the connection has agreed on them. */
final class NbdReplies {
    private final boolean structured;

    NbdReplies(boolean structured) {
        this.structured = structured;
    }

    boolean structured() {
        return structured;
    }

    /** Bytes that come before the data of a read which is answered in one piece. */
    int dataHeaderBytes() {
        return structured ? NbdProtocol.CHUNK_HEADER_BYTES + NbdProtocol.OFFSET_BYTES : NbdProtocol.SIMPLE_REPLY_BYTES;
    }

    /** What comes before the data of a read which is answered in one piece. */
    void putDataHeader(ByteBuffer out, NbdRequest request) {
        if (structured) {
            putDataChunk(out, request, request.offset(), request.length(), true);
        } else {
            putSimple(out, 0, request.cookie());
        }
    }

    /** What comes before one piece of data. */
    void putDataChunk(ByteBuffer out, NbdRequest request, long offset, long length, boolean last) {
        putChunk(
                out,
                last,
                NbdProtocol.REPLY_TYPE_OFFSET_DATA,
                request.cookie(),
                Math.toIntExact(NbdProtocol.OFFSET_BYTES + length));
        out.putLong(offset);
    }

    /** One piece that reads as zeros. */
    void putHoleChunk(ByteBuffer out, NbdRequest request, long offset, long length, boolean last) {
        putChunk(out, last, NbdProtocol.REPLY_TYPE_OFFSET_HOLE, request.cookie(), NbdProtocol.HOLE_BYTES);
        out.putLong(offset).putInt((int) length);
    }

    /** What comes before {@code extentCount} extents: the answer to a block status, in one piece. */
    void putStatusHeader(ByteBuffer out, NbdRequest request, int extentCount) {
        putChunk(
                out,
                true,
                NbdProtocol.REPLY_TYPE_BLOCK_STATUS,
                request.cookie(),
                4 + extentCount * NbdProtocol.EXTENT_BYTES);
        out.putInt(NbdNegotiation.ALLOCATION_CONTEXT_ID);
    }

    /** The answer to a request that needs none but that it was done. */
    void putDone(ByteBuffer out, NbdRequest request) {
        putSimple(out, 0, request.cookie());
    }

    /** The answer to a request that was not done, or not all of it. */
    void putError(ByteBuffer out, NbdRequest request, int error, String text) {
        if (!structured) {
            putSimple(out, error, request.cookie());
            return;
        }
        byte[] shown = text.substring(0, Math.min(text.length(), NbdLimits.MAX_ERROR_CHARACTERS))
                .getBytes(StandardCharsets.UTF_8);
        putChunk(out, true, NbdProtocol.REPLY_TYPE_ERROR, request.cookie(), 6 + shown.length);
        out.putInt(error).putShort((short) shown.length).put(shown);
    }

    void putError(ByteBuffer out, NbdRequest request, DiskException failure) {
        putError(out, request, errorOf(failure), String.valueOf(failure.getMessage()));
    }

    /** The document allows its own numbers only: what none of them says is an input/output error. */
    private static int errorOf(DiskException failure) {
        return switch (failure.errno()) {
            case Errno.ENOSPC, Errno.EDQUOT, Errno.EFBIG -> NbdProtocol.ENOSPC;
            case Errno.EPERM -> NbdProtocol.EPERM;
            case Errno.ESHUTDOWN -> NbdProtocol.ESHUTDOWN;
            default -> NbdProtocol.EIO;
        };
    }

    private static void putSimple(ByteBuffer out, int error, long cookie) {
        out.putInt(NbdProtocol.SIMPLE_REPLY_MAGIC).putInt(error).putLong(cookie);
    }

    private static void putChunk(ByteBuffer out, boolean last, short type, long cookie, int length) {
        out.putInt(NbdProtocol.STRUCTURED_REPLY_MAGIC)
                .putShort(last ? NbdProtocol.REPLY_FLAG_DONE : 0)
                .putShort(type)
                .putLong(cookie)
                .putInt(length);
    }
}
