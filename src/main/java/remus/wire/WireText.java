package remus.wire;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import remus.base.ErrorCategory;

/** Strings on the wire, a 16-bit length and UTF-8, and the fields around them. */
final class WireText {
    private static final Pattern VM_NAME = Pattern.compile("[a-z0-9-]{1," + WireLimits.MAX_VM_NAME_CHARS + "}");

    /** No directory and nothing hidden, for the backup stores a file under this name. */
    private static final Pattern FILE_NAME = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._-]{0,127}");

    private static final Pattern UNPRINTABLE = Pattern.compile("[\\p{Cc}\\p{Cf}\\u2028\\u2029]");

    private WireText() {}

    /** @throws IllegalArgumentException when {@code text} is longer than a name may be */
    static void putName(ByteBuffer target, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        if (bytes.length > WireLimits.MAX_TEXT_BYTES) {
            throw new IllegalArgumentException(
                    "'" + text + "' is longer than " + WireLimits.MAX_TEXT_BYTES + " bytes of UTF-8");
        }
        target.putShort((short) bytes.length).put(bytes);
    }

    /** Puts a count in a byte and so many names, each at most {@link WireLimits#MAX_MODEL_BYTES} long. */
    static void putModels(ByteBuffer target, List<String> names) {
        target.put((byte) names.size());
        names.forEach(name -> putName(target, name));
    }

    static List<String> takeModels(ByteBuffer source, String field, int limit) throws WireException {
        int count = takeCount(source, "number of " + field, limit);
        List<String> names = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            names.add(take(source, field, WireLimits.MAX_MODEL_BYTES));
        }
        return names;
    }

    static void putReason(ByteBuffer target, String reason) {
        byte[] bytes = reason.getBytes(StandardCharsets.UTF_8);
        int length = Math.min(bytes.length, WireLimits.MAX_REASON_BYTES);
        // Cuts before a character, never in it: its later bytes are 10xxxxxx.
        while (length < bytes.length && length > 0 && (bytes[length] & 0xC0) == 0x80) {
            length--;
        }
        target.putShort((short) length).put(bytes, 0, length);
    }

    static String takeName(ByteBuffer source, String field) throws WireException {
        return take(source, field, WireLimits.MAX_TEXT_BYTES);
    }

    static String takeReason(ByteBuffer source) throws WireException {
        return take(source, "reason", WireLimits.MAX_REASON_BYTES);
    }

    static String takeVmName(ByteBuffer source) throws WireException {
        String name = takeName(source, "VM name");
        if (!VM_NAME.matcher(name).matches()) {
            throw WireException.corrupt("'" + name + "' is no name of a VM");
        }
        return name;
    }

    static String takeFileName(ByteBuffer source) throws WireException {
        String name = takeName(source, "file name");
        if (!isFileName(name)) {
            throw WireException.corrupt("'" + name + "' is no name for a file");
        }
        return name;
    }

    static boolean isVmName(String name) {
        return VM_NAME.matcher(name).matches();
    }

    static boolean isFileName(String name) {
        return FILE_NAME.matcher(name).matches();
    }

    /** Reads a byte that says how many fields follow. */
    static int takeCount(ByteBuffer source, String field, int limit) throws WireException {
        need(source, 1, field);
        int count = Byte.toUnsignedInt(source.get());
        if (count > limit) {
            throw WireException.corrupt(field + "=" + count + " limit=" + limit);
        }
        return count;
    }

    /** @throws WireException when fewer than {@code bytes} bytes are left */
    static void need(ByteBuffer source, long bytes, String field) throws WireException {
        if (source.remaining() < bytes) {
            throw WireException.corrupt(
                    "the frame ends within its " + field + ": needed=" + bytes + " left=" + source.remaining());
        }
    }

    /** @throws WireException when bytes are left over */
    static void end(ByteBuffer source) throws WireException {
        if (source.hasRemaining()) {
            throw WireException.corrupt(source.remaining() + " bytes follow the end of the frame's last field");
        }
    }

    private static String take(ByteBuffer source, String field, int limitBytes) throws WireException {
        need(source, Short.BYTES, field);
        int length = Short.toUnsignedInt(source.getShort());
        if (length > limitBytes) {
            throw WireException.corrupt("the " + field + " has length=" + length + " limit=" + limitBytes);
        }
        need(source, length, field);
        ByteBuffer bytes = source.slice(source.position(), length);
        source.position(source.position() + length);
        try {
            return printable(StandardCharsets.UTF_8.newDecoder().decode(bytes).toString());
        } catch (CharacterCodingException e) {
            throw new WireException(ErrorCategory.RETRY, "the " + field + " is not UTF-8", e);
        }
    }

    /** The peer's words, safe to print: what could forge lines of a log or act on a terminal becomes '?'. */
    private static String printable(String text) {
        return UNPRINTABLE.matcher(text).replaceAll("?");
    }
}
