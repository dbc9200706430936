package remus.disk;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * One request of the transmission phase, as the client sent it: nothing of it is true until {@link #refusal} says so.
 *
 * @param flags command flags
 * @param type which command
 * @param cookie the client's own, for the reply
 * @param offset unsigned
 * @param length 0 to 2^32 - 1
 */
record NbdRequest(int flags, int type, long cookie, long offset, long length) {
    /** Why a request is not carried out: the number for the reply, and a text for a person. */
    record Refusal(int error, String text) {}

    /** What the connection has agreed on. */
    record Agreement(boolean structuredReplies, boolean allocationContext) {}

    /** Takes the next request's header from {@code in}, which holds all of it. */
    static NbdRequest take(ByteBuffer in) throws NbdException {
        int magic = in.getInt();
        if (magic != NbdProtocol.REQUEST_MAGIC) {
            throw new NbdException("a request begins with 0x" + Integer.toHexString(magic));
        }
        int flags = Short.toUnsignedInt(in.getShort());
        int type = Short.toUnsignedInt(in.getShort());
        return new NbdRequest(flags, type, in.getLong(), in.getLong(), Integer.toUnsignedLong(in.getInt()));
    }

    /** Bytes of data that follow the header. */
    long payloadBytes() {
        return type == NbdProtocol.CMD_WRITE ? length : 0;
    }

    boolean has(int flag) {
        return (flags & flag) != 0;
    }

    /** Why the document, or our own constraints, forbid the request; null where it may be carried out. */
    @Nullable
    Refusal refusal(long exportBytes, Agreement agreement) {
        int unknown = flags & ~allowedFlags(agreement);
        if (unknown != 0) {
            return invalid("command " + type + " has no flags 0x" + Integer.toHexString(unknown));
        }
        return switch (type) {
            case NbdProtocol.CMD_FLUSH ->
                offset == 0 && length == 0 ? null : invalid("a flush has neither offset nor length");
            case NbdProtocol.CMD_READ, NbdProtocol.CMD_WRITE ->
                length > NbdLimits.MAX_PAYLOAD_BYTES
                        ? invalid(
                                "more than the " + NbdLimits.MAX_PAYLOAD_BYTES + " bytes of data that were advertised")
                        : wrongRange(exportBytes);
            case NbdProtocol.CMD_TRIM, NbdProtocol.CMD_WRITE_ZEROES -> wrongRange(exportBytes);
            case NbdProtocol.CMD_BLOCK_STATUS ->
                agreement.allocationContext ? wrongRange(exportBytes) : invalid("no metadata context was chosen");
            default -> invalid("there is no command " + type);
        };
    }

    /** FUA is to be accepted, and may be ignored, on commands that write nothing. */
    private int allowedFlags(Agreement agreement) {
        int more = switch (type) {
            case NbdProtocol.CMD_READ -> agreement.structuredReplies ? NbdProtocol.CMD_FLAG_DF : 0;
            case NbdProtocol.CMD_WRITE_ZEROES -> NbdProtocol.CMD_FLAG_NO_HOLE;
            case NbdProtocol.CMD_BLOCK_STATUS -> NbdProtocol.CMD_FLAG_REQ_ONE;
            default -> 0;
        };
        return NbdProtocol.CMD_FLAG_FUA | more;
    }

    private @Nullable Refusal wrongRange(long exportBytes) {
        if (length == 0) {
            return invalid("a length of 0");
        }
        // An offset of 2^63 and more has become negative.
        if (offset < 0 || offset > exportBytes - length) {
            boolean writes = type == NbdProtocol.CMD_WRITE || type == NbdProtocol.CMD_WRITE_ZEROES;
            return new Refusal(
                    writes ? NbdProtocol.ENOSPC : NbdProtocol.EINVAL,
                    length + " bytes at " + Long.toUnsignedString(offset) + " of a disk of " + exportBytes);
        }
        if (((offset | length) & (NbdLimits.MIN_BLOCK_BYTES - 1)) != 0) {
            return invalid(length + " bytes at " + offset + " are not whole blocks of " + NbdLimits.MIN_BLOCK_BYTES);
        }
        return null;
    }

    private static Refusal invalid(String text) {
        return new Refusal(NbdProtocol.EINVAL, text);
    }
}
