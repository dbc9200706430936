package remus.wire;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;

/** A SHA-256. */
public final class Digest {
    private final byte[] bytes;

    private Digest(byte[] bytes) {
        this.bytes = bytes;
    }

    /**
     * @param bytes 32 of them, copied
     * @throws IllegalArgumentException when there are more or fewer
     */
    public static Digest of(byte[] bytes) {
        if (bytes.length != WireLimits.DIGEST_BYTES) {
            throw new IllegalArgumentException("a SHA-256 has 32 bytes, not " + bytes.length);
        }
        return new Digest(bytes.clone());
    }

    /** A copy of the 32 bytes. */
    public byte[] bytes() {
        return bytes.clone();
    }

    void encode(ByteBuffer target) {
        target.put(bytes);
    }

    static Digest decode(ByteBuffer source) throws WireException {
        WireText.need(source, WireLimits.DIGEST_BYTES, "digest");
        byte[] bytes = new byte[WireLimits.DIGEST_BYTES];
        source.get(bytes);
        return new Digest(bytes);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Digest digest && Arrays.equals(bytes, digest.bytes);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(bytes);
    }

    /** 64 hexadecimal digits. */
    @Override
    public String toString() {
        return HexFormat.of().formatHex(bytes);
    }
}
