package remus.wire;

import java.nio.ByteBuffer;

/** A byte that is 0 or 1 and nothing else. */
final class WireFlag {
    private WireFlag() {}

    static boolean take(ByteBuffer source, String field) throws WireException {
        WireText.need(source, 1, field);
        byte value = source.get();
        if (value != 0 && value != 1) {
            throw WireException.corrupt(field + "=" + Byte.toUnsignedInt(value) + " is neither 0 nor 1");
        }
        return value == 1;
    }
}
