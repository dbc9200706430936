package remus.wire;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import remus.base.HostAddress;

/**
 * How a primary introduces itself and its VM: the payload of HELLO. The term is in the frame's header, and there too,
 * for RESUME, the last epoch that the primary has sealed.
 *
 * @param vm {@code [a-z0-9-]{1,40}}
 * @param host the primary's name
 * @param replicationAddress where the primary's own daemon listens: to be asked who owns the VM, and to see whether
 *     its port still answers
 * @param machine QEMU's versioned machine type
 * @param qemuVersion as QEMU says it
 * @param memoryBytes guest RAM, a multiple of {@code pageBytes}
 * @param pageBytes a power of two, 4096 to 65536
 * @param interval length of an epoch, 1 ms to 10 minutes
 * @param detect silence after which the backup takes over, 10 ms to 10 minutes
 * @param verifyEvery memory digests are compared after so many commits; 0: never
 * @param definition the VM's definition, of which the protocol knows only the length
 * @param files what the definition needs beside itself
 * @param disks the VM's disks, in the order of its definition
 */
@SuppressWarnings("ArrayRecordComponent") // The definition is copied in and out, and no hello is compared with another.
public record Hello(
        Mode mode,
        String vm,
        String host,
        HostAddress replicationAddress,
        String machine,
        String qemuVersion,
        long memoryBytes,
        int pageBytes,
        Duration interval,
        Duration detect,
        int verifyEvery,
        byte[] definition,
        List<HelloFile> files,
        List<HelloDisk> disks) {

    /** Whether a session begins or goes on. */
    public enum Mode {
        /** A new session: the backup prepares a standby and is then sent all memory. */
        NEW(1),
        /** The connection of a session was lost: it goes on after the backup's last whole checkpoint. */
        RESUME(2);

        private final int code;

        Mode(int code) {
            this.code = code;
        }
    }

    /** @throws IllegalArgumentException when a value is out of its range, for then it could not be sent */
    public Hello {
        require(WireText.isVmName(vm), "'" + vm + "' is no name of a VM");
        require(
                Integer.bitCount(pageBytes) == 1
                        && pageBytes >= WireLimits.MIN_PAGE_BYTES
                        && pageBytes <= WireLimits.MAX_PAGE_BYTES,
                "pageBytes=" + pageBytes + " is no page size");
        require(
                memoryBytes > 0 && memoryBytes <= WireLimits.MAX_MEMORY_BYTES && memoryBytes % pageBytes == 0,
                "memoryBytes=" + memoryBytes + " is out of range or no multiple of the page size");
        requireDuration("interval", interval, WireLimits.MIN_INTERVAL_NANOS);
        requireDuration("detect", detect, WireLimits.MIN_DETECT_NANOS);
        require(verifyEvery >= 0, "verifyEvery=" + verifyEvery + " is negative");
        require(
                definition.length <= WireLimits.MAX_DEFINITION_BYTES,
                "the definition has " + definition.length + " bytes, limit " + WireLimits.MAX_DEFINITION_BYTES);
        require(
                files.size() <= WireLimits.MAX_FILES,
                "the definition needs " + files.size() + " files, limit " + WireLimits.MAX_FILES);
        require(
                files.stream().map(HelloFile::name).distinct().count() == files.size(),
                "two of the files have the same name");
        require(
                disks.size() <= WireLimits.MAX_DISKS,
                "the VM has " + disks.size() + " disks, limit " + WireLimits.MAX_DISKS);
        require(
                disks.stream().map(HelloDisk::name).distinct().count() == disks.size(),
                "two of the disks have the same name");
        definition = definition.clone();
        files = List.copyOf(files);
        disks = List.copyOf(disks);
    }

    @Override
    public byte[] definition() {
        return definition.clone();
    }

    public long pageCount() {
        return memoryBytes / pageBytes;
    }

    /** The same session in another mode. */
    public Hello withMode(Mode other) {
        return new Hello(
                other,
                vm,
                host,
                replicationAddress,
                machine,
                qemuVersion,
                memoryBytes,
                pageBytes,
                interval,
                detect,
                verifyEvery,
                definition,
                files,
                disks);
    }

    /** Puts the payload. */
    public void encode(ByteBuffer target) {
        target.put((byte) mode.code);
        WireText.putName(target, vm);
        WireText.putName(target, host);
        WireText.putName(target, replicationAddress.toString());
        WireText.putName(target, machine);
        WireText.putName(target, qemuVersion);
        target.putLong(memoryBytes).putInt(pageBytes);
        target.putLong(interval.toNanos()).putLong(detect.toNanos()).putInt(verifyEvery);
        target.putInt(definition.length).put(definition);
        target.putShort((short) files.size());
        for (HelloFile file : files) {
            file.encode(target);
        }
        target.put((byte) disks.size());
        for (HelloDisk disk : disks) {
            disk.encode(target);
        }
    }

    /** Reads the payload, which ends at the limit of {@code source}. */
    public static Hello decode(ByteBuffer source) throws WireException {
        WireText.need(source, 1, "mode");
        Mode mode = decodeMode(source.get());
        String vm = WireText.takeVmName(source);
        String host = WireText.takeName(source, "host name");
        String address = WireText.takeName(source, "replication address");
        String machine = WireText.takeName(source, "machine type");
        String qemuVersion = WireText.takeName(source, "QEMU version");
        WireText.need(source, 8 + 4 + 8 + 8 + 4 + 4, "numbers");
        long memoryBytes = source.getLong();
        int pageBytes = source.getInt();
        long intervalNanos = source.getLong();
        long detectNanos = source.getLong();
        int verifyEvery = source.getInt();
        byte[] definition = takeDefinition(source);
        List<HelloFile> files = takeFiles(source);
        try {
            List<HelloDisk> disks = takeDisks(source);
            WireText.end(source);
            return new Hello(
                    mode,
                    vm,
                    host,
                    HostAddress.parse(address, 0),
                    machine,
                    qemuVersion,
                    memoryBytes,
                    pageBytes,
                    Duration.ofNanos(intervalNanos),
                    Duration.ofNanos(detectNanos),
                    verifyEvery,
                    definition,
                    files,
                    disks);
        } catch (IllegalArgumentException e) {
            throw WireException.corrupt("the hello for VM '" + vm + "' is wrong: " + e.getMessage());
        }
    }

    private static Mode decodeMode(byte code) throws WireException {
        for (Mode mode : Mode.values()) {
            if (mode.code == code) {
                return mode;
            }
        }
        throw WireException.foreign("unknown mode " + Byte.toUnsignedInt(code) + " in a hello");
    }

    private static byte[] takeDefinition(ByteBuffer source) throws WireException {
        long length = Integer.toUnsignedLong(source.getInt());
        if (length > WireLimits.MAX_DEFINITION_BYTES) {
            throw WireException.corrupt(
                    "the definition has length=" + length + " limit=" + WireLimits.MAX_DEFINITION_BYTES);
        }
        WireText.need(source, length, "definition");
        byte[] definition = new byte[(int) length];
        source.get(definition);
        return definition;
    }

    private static List<HelloFile> takeFiles(ByteBuffer source) throws WireException {
        WireText.need(source, Short.BYTES, "number of files");
        int count = Short.toUnsignedInt(source.getShort());
        if (count > WireLimits.MAX_FILES) {
            throw WireException.corrupt("the definition needs files=" + count + " limit=" + WireLimits.MAX_FILES);
        }
        List<HelloFile> files = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            files.add(HelloFile.decode(source));
        }
        return files;
    }

    private static List<HelloDisk> takeDisks(ByteBuffer source) throws WireException {
        int count = WireText.takeCount(source, "number of disks", WireLimits.MAX_DISKS);
        List<HelloDisk> disks = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            disks.add(HelloDisk.decode(source));
        }
        return disks;
    }

    private static void requireDuration(String name, Duration value, long minNanos) {
        Duration min = Duration.ofNanos(minNanos);
        Duration max = Duration.ofNanos(WireLimits.MAX_DURATION_NANOS);
        require(
                value.compareTo(min) >= 0 && value.compareTo(max) <= 0,
                name + "=" + value + " is not in " + min + ".." + max);
    }

    private static void require(boolean holds, String message) {
        if (!holds) {
            throw new IllegalArgumentException(message);
        }
    }

    @Override
    public String toString() {
        return "Hello[%s vm=%s host=%s memoryBytes=%d machine=%s]".formatted(mode, vm, host, memoryBytes, machine);
    }
}
