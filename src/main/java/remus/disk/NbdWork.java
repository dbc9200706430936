package remus.disk;

import java.nio.ByteBuffer;
import remus.base.Invariant;

/** Carries out requests that may wait, one in each slot. */
final class NbdWork {
    private final NbdExport export;
    private final NbdReplies replies;

    NbdWork(NbdExport export, NbdReplies replies) {
        this.export = export;
        this.replies = replies;
    }

    /** Memory that a request needs beside {@link NbdLimits#REPLY_OVERHEAD_BYTES}. */
    static int memoryBytes(NbdRequest request) {
        return switch (request.type()) {
            case NbdProtocol.CMD_READ, NbdProtocol.CMD_WRITE -> (int) request.length();
            case NbdProtocol.CMD_BLOCK_STATUS -> NbdLimits.MAX_EXTENTS * NbdProtocol.EXTENT_BYTES;
            default -> 0;
        };
    }

    /**
     * Carries out a request that was found valid, and puts its reply into the slot's buffer. The data of a write is in the
     * slot behind {@link NbdLimits#REPLY_OVERHEAD_BYTES}.
     */
    void perform(NbdRequest request, NbdSlots.Slot slot) throws DiskException {
        boolean durable = request.has(NbdProtocol.CMD_FLAG_FUA);
        long offset = request.offset();
        long length = request.length();
        switch (request.type()) {
            case NbdProtocol.CMD_READ -> {
                read(request, slot);
                return;
            }
            case NbdProtocol.CMD_BLOCK_STATUS -> {
                tellExtents(request, slot.buffer());
                return;
            }
            case NbdProtocol.CMD_WRITE ->
                export.write(offset, slot.memory(), NbdLimits.REPLY_OVERHEAD_BYTES, length, durable);
            case NbdProtocol.CMD_FLUSH -> export.flush();
            case NbdProtocol.CMD_TRIM -> export.trim(offset, length, durable);
            case NbdProtocol.CMD_WRITE_ZEROES ->
                export.zero(offset, length, !request.has(NbdProtocol.CMD_FLAG_NO_HOLE), durable);
            default -> Invariant.check(false, "command %s was found valid", request.type());
        }
        replies.putDone(slot.buffer(), request);
    }

    private void read(NbdRequest request, NbdSlots.Slot slot) throws DiskException {
        if (replies.structured() && !request.has(NbdProtocol.CMD_FLAG_DF)) {
            readInPieces(request, slot);
            return;
        }
        int at = replies.dataHeaderBytes();
        export.read(request.offset(), slot.memory(), at, request.length());
        replies.putDataHeader(slot.buffer(), request);
        slot.buffer().position(at + (int) request.length());
    }

    /** Holes cost neither reading nor sending. */
    private void readInPieces(NbdRequest request, NbdSlots.Slot slot) throws DiskException {
        ByteBuffer out = slot.buffer();
        long at = request.offset();
        long end = at + request.length();
        for (int piece = 1; at < end; piece++) {
            boolean inOne = piece == NbdLimits.MAX_READ_CHUNKS;
            long data = inOne ? at : Math.min(export.nextData(at), end);
            if (data > at) {
                replies.putHoleChunk(out, request, at, data - at, data == end);
                at = data;
            } else {
                long hole = inOne ? end : endOfData(at, end);
                replies.putDataChunk(out, request, at, hole - at, hole == end);
                export.read(at, slot.memory(), out.position(), hole - at);
                out.position(out.position() + (int) (hole - at));
                at = hole;
            }
        }
    }

    private void tellExtents(NbdRequest request, ByteBuffer out) throws DiskException {
        long at = request.offset();
        long end = at + request.length();
        int most = request.has(NbdProtocol.CMD_FLAG_REQ_ONE) ? 1 : NbdLimits.MAX_EXTENTS;
        int count = 0;
        // The header tells their number, and so is put last.
        int header = NbdProtocol.CHUNK_HEADER_BYTES + Integer.BYTES;
        out.position(header);
        for (; at < end && count < most; count++) {
            long data = Math.min(export.nextData(at), end);
            boolean hole = data > at;
            long next = hole ? data : endOfData(at, end);
            out.putInt((int) (next - at)).putInt(hole ? NbdProtocol.STATE_HOLE | NbdProtocol.STATE_ZERO : 0);
            at = next;
        }
        int filled = out.position();
        replies.putStatusHeader(out.position(0), request, count);
        out.position(filled);
    }

    /** Where the data at {@code at} ends; were it trimmed since it was found, it counts as data nonetheless. */
    private long endOfData(long at, long end) throws DiskException {
        long hole = Math.min(export.nextHole(at), end);
        return hole > at ? hole : end;
    }
}
