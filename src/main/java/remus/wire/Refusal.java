package remus.wire;

import java.nio.ByteBuffer;

/**
 * The backup will not have this session: the payload of REFUSAL.
 *
 * @param reason what a person should know: why, and what to do
 */
public record Refusal(Code code, String reason) {
    /** Kinds of refusal, for programs. */
    public enum Code {
        /** Something else, which the reason says. */
        OTHER(0),
        /** Another QEMU, or one without this machine type. */
        INCOMPATIBLE(1),
        /** Not enough memory or space for the standby. */
        NO_ROOM(2),
        /** This host runs a VM of that name, or is the backup of one from elsewhere. */
        NAME_IN_USE(3),
        /** The session that should go on is not known here, or has no whole checkpoint. */
        UNKNOWN_SESSION(4),
        /** The session's term is over: a later one is known. */
        STALE_TERM(5),
        /** This host has taken the VM over: the session's primary has lost it. */
        ACTIVATED(6),
        /** Not now: an earlier session of the VM has yet to end here, or to decide. The primary asks again. */
        BUSY(7);

        private final int number;

        Code(int number) {
            this.number = number;
        }
    }

    public void encode(ByteBuffer target) {
        target.put((byte) code.number);
        WireText.putReason(target, reason);
    }

    public static Refusal decode(ByteBuffer source) throws WireException {
        WireText.need(source, 1, "code");
        int number = Byte.toUnsignedInt(source.get());
        String reason = WireText.takeReason(source);
        WireText.end(source);
        for (Code code : Code.values()) {
            if (code.number == number) {
                return new Refusal(code, reason);
            }
        }
        // The reason is worth more than the number: a later release may refuse for more kinds of reasons.
        return new Refusal(Code.OTHER, reason);
    }
}
