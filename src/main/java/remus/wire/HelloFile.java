package remus.wire;

import java.nio.ByteBuffer;

/**
 * A file that a VM's definition needs, such as its kernel. The backup asks for it when it has none of this digest.
 *
 * @param name {@code [A-Za-z0-9_][A-Za-z0-9._-]{0,127}}: a plain name, never a path
 * @param bytes its size
 */
public record HelloFile(String name, long bytes, Digest sha256) {
    public HelloFile {
        if (!WireText.isFileName(name)) {
            throw new IllegalArgumentException("'" + name + "' is no plain file name");
        }
        if (bytes < 0) {
            throw new IllegalArgumentException("file " + name + " has bytes=" + bytes);
        }
    }

    void encode(ByteBuffer target) {
        WireText.putName(target, name);
        sha256.encode(target.putLong(bytes));
    }

    static HelloFile decode(ByteBuffer source) throws WireException {
        String name = WireText.takeFileName(source);
        long bytes = Payloads.decodeCount(source, "size of file " + name);
        return new HelloFile(name, bytes, Digest.decode(source));
    }
}
