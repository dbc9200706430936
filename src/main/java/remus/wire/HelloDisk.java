package remus.wire;

import java.nio.ByteBuffer;

/**
 * A disk of the VM, in the order of its definition: its index there names it in all frames that follow.
 *
 * @param name {@code [A-Za-z0-9_][A-Za-z0-9._-]{0,127}}: a plain name, never a path
 * @param bytes its size, a multiple of 512, at most {@link WireLimits#MAX_DISK_BYTES}
 */
public record HelloDisk(String name, long bytes) {
    public HelloDisk {
        if (!WireText.isFileName(name)) {
            throw new IllegalArgumentException("'" + name + "' is no plain name for a disk");
        }
        if (bytes <= 0 || bytes > WireLimits.MAX_DISK_BYTES || bytes % WireLimits.SECTOR_BYTES != 0) {
            throw new IllegalArgumentException("disk " + name + " has bytes=" + bytes
                    + ", which is out of range or no multiple of " + WireLimits.SECTOR_BYTES);
        }
    }

    /** Blocks whose digests can be compared; the last one may be shorter. */
    public long blockCount() {
        return (bytes + WireLimits.COMPARED_BLOCK_BYTES - 1) / WireLimits.COMPARED_BLOCK_BYTES;
    }

    void encode(ByteBuffer target) {
        WireText.putName(target, name);
        target.putLong(bytes);
    }

    /** @throws IllegalArgumentException as the constructor, for the caller to tell what is wrong with what */
    static HelloDisk decode(ByteBuffer source) throws WireException {
        String name = WireText.takeFileName(source);
        return new HelloDisk(name, Payloads.decodeCount(source, "size of disk " + name));
    }
}
