package remus.wire;

import java.nio.ByteBuffer;

/** The payloads that are no more than one field. */
public final class Payloads {
    private Payloads() {}

    /** The VM's name of OWNER_QUERY and FENCE. */
    public static void encodeVm(ByteBuffer target, String vm) {
        WireText.putName(target, vm);
    }

    public static String decodeVm(ByteBuffer source) throws WireException {
        String vm = WireText.takeVmName(source);
        WireText.end(source);
        return vm;
    }

    /** The text of GUEST_DEAD, SIGN_OFF, SIGNED_OFF, STANDBY_LOST, ACTIVATED and RELIEF; cut off where it is too long. */
    public static void encodeReason(ByteBuffer target, String reason) {
        WireText.putReason(target, reason);
    }

    public static String decodeReason(ByteBuffer source) throws WireException {
        String reason = WireText.takeReason(source);
        WireText.end(source);
        return reason;
    }

    /** Whether the digests were equal, of VERIFIED. */
    public static void encodeVerified(ByteBuffer target, boolean equal) {
        target.put((byte) (equal ? 1 : 0));
    }

    public static boolean decodeVerified(ByteBuffer source) throws WireException {
        boolean equal = WireFlag.take(source, "equal");
        WireText.end(source);
        return equal;
    }

    /** @throws WireException when a payload that should be empty is not */
    public static void decodeEmpty(ByteBuffer source) throws WireException {
        WireText.end(source);
    }

    /** Of HAND_OVER; read by {@link #decodeCount} and {@link #decodeReason}. */
    public static void encodeHandOver(ByteBuffer target, long pausedNanos, String reason) {
        target.putLong(pausedNanos);
        WireText.putReason(target, reason);
    }

    /** What precedes the bytes of FILE_DATA. */
    public static void encodeFileData(ByteBuffer target, String name, long offset) {
        WireText.putName(target, name);
        target.putLong(offset);
    }

    /** Reads what precedes the bytes of FILE_DATA; they are what is left in {@code source}. */
    public static String decodeFileName(ByteBuffer source) throws WireException {
        return WireText.takeFileName(source);
    }

    /** Reads an offset or a number from 0 on. */
    public static long decodeCount(ByteBuffer source, String field) throws WireException {
        WireText.need(source, Long.BYTES, field);
        long value = source.getLong();
        if (value < 0) {
            throw WireException.corrupt(field + "=" + Long.toUnsignedString(value) + " is out of range");
        }
        return value;
    }
}
