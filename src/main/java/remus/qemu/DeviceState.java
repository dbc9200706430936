package remus.qemu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import remus.base.ByteSize;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.StagedBytes;

/**
 * The device state that QEMU saves at each checkpoint, and its format as far as we touch it (QEMU's
 * migration/savevm.c): an 8-byte header, sections, one byte that ends them. A standby wants a configuration section
 * after the header, which a saved state lacks.
 *
 * <p>The file stays open, and its bytes pass through one buffer that grows with it: nothing is allocated per checkpoint.
 * Used by one thread at a time.
 */
public final class DeviceState implements AutoCloseable {
    /** Magic and version, which every state begins with. */
    public static final int HEADER_BYTES = 8;

    /** More than any machine here needs (10 to 100 KiB); a larger one is garbage. */
    public static final int MAX_BYTES = 64 << 20;

    private static final int MAGIC = 0x5145564d; // "QEVM"
    private static final int VERSION = 3;
    private static final byte SECTION_END = 0x00;
    private static final byte SUBSECTION = 0x05;
    private static final byte SECTION_CONFIGURATION = 0x07;
    private static final int ARM64_PAGE_BITS = 12;
    private static final ValueLayout.OfInt BIG_ENDIAN_INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private final Path file;
    private final FileChannel channel;
    private ByteBuffer buffer = ByteBuffer.allocateDirect(128 << 10);
    private MemorySegment segment = MemorySegment.ofBuffer(buffer);

    private DeviceState(Path file, FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    /** Creates {@code file} where it is missing and keeps it open; QEMU truncates and rewrites it each time. */
    static DeviceState open(Path file) throws IOException {
        return new DeviceState(
                file,
                FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE));
    }

    /**
     * Appends the state saved last to {@code target}; to be called between the end of a save and the next one.
     *
     * @return its length in bytes
     * @throws DeviceStateException when the file can't be read or holds no complete state
     * @throws CheckpointException when {@code target} is full
     */
    public int readInto(StagedBytes target) throws DeviceStateException, CheckpointException {
        int length;
        try {
            long size = channel.size();
            if (size > MAX_BYTES) {
                throw new DeviceStateException(
                        file + " holds " + new ByteSize(size) + ", the limit is " + new ByteSize(MAX_BYTES), null);
            }
            length = (int) size;
            if (length > buffer.capacity()) {
                buffer = ByteBuffer.allocateDirect(Math.max(length, Math.min(MAX_BYTES, buffer.capacity() * 2)));
                segment = MemorySegment.ofBuffer(buffer);
            }
            buffer.clear().limit(length);
            while (buffer.hasRemaining()) {
                if (channel.read(buffer, buffer.position()) < 0) {
                    throw new DeviceStateException(
                            file + " shrank from " + length + " to " + buffer.position() + " bytes while being read",
                            null);
                }
            }
        } catch (IOException e) {
            throw new DeviceStateException("the device state " + file + " can't be read: " + e.getMessage(), e);
        }
        check(segment, length);
        target.append(segment, 0, length);
        return length;
    }

    /** @throws DeviceStateException unless the first {@code length} bytes begin and end as a saved state does */
    static void check(MemorySegment state, long length) throws DeviceStateException {
        if (length <= HEADER_BYTES || length > MAX_BYTES) {
            throw new DeviceStateException("a device state of " + length + " bytes is none", null);
        }
        int magic = state.get(BIG_ENDIAN_INT, 0);
        int version = state.get(BIG_ENDIAN_INT, 4);
        if (magic != MAGIC || version != VERSION) {
            throw new DeviceStateException(
                    "not a device state: magic=0x%08x version=%d, expected 0x%08x and %d"
                            .formatted(magic, version, MAGIC, VERSION),
                    null);
        }
        if (state.get(JAVA_BYTE, length - 1) != SECTION_END) {
            throw new DeviceStateException("the device state breaks off after " + length + " bytes", null);
        }
    }

    /** What precedes the sections of a saved state when a standby loads it: the header and what machine it is for. */
    static byte[] preamble(MachineType machine) {
        byte[] configuration = configurationSection(machine);
        return ByteBuffer.allocate(HEADER_BYTES + configuration.length)
                .putInt(MAGIC)
                .putInt(VERSION)
                .put(configuration)
                .array();
    }

    /** The section by which a standby checks that the state is for its machine; it follows the header. */
    static byte[] configurationSection(MachineType machine) {
        byte[] name = machine.versionedName().getBytes(StandardCharsets.US_ASCII);
        byte[] pageSize = machine.architecture() == Architecture.ARM64 ? pageSizeSubsection() : new byte[0];
        return ByteBuffer.allocate(1 + Integer.BYTES + name.length + pageSize.length)
                .put(SECTION_CONFIGURATION)
                .putInt(name.length)
                .put(name)
                .put(pageSize)
                .array();
    }

    /** QEMU decides the size of arm64's pages at run time, and a standby wants to be told it: 2^12 bytes. */
    private static byte[] pageSizeSubsection() {
        byte[] name = "configuration/target-page-bits".getBytes(StandardCharsets.US_ASCII);
        return ByteBuffer.allocate(2 + name.length + 2 * Integer.BYTES)
                .put(SUBSECTION)
                .put((byte) name.length)
                .put(name)
                .putInt(1) // its version
                .putInt(ARM64_PAGE_BITS)
                .array();
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new IllegalStateException(file + " could not be closed", e);
        }
    }
}
