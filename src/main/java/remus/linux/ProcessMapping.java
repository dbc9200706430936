package remus.linux;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * One line of {@code /proc/PID/maps} (proc_pid_maps(5)): a range of a process's addresses and what lies there.
 *
 * @param start first address
 * @param end address after the last one
 * @param permissions such as {@code rw-s}
 * @param offset where in the file the range begins
 * @param device the file's device, {@code major:minor} in hexadecimal
 * @param inode the file's inode, 0 where there is no file
 * @param name the file's path, or a name in brackets, or nothing
 */
public record ProcessMapping(
        long start, long end, String permissions, long offset, String device, long inode, String name) {

    private static final int FIELDS_BEFORE_NAME = 5;

    public long bytes() {
        return end - start;
    }

    /** All mappings of {@code pid}, by ascending address. */
    public static List<ProcessMapping> of(long pid) throws LinuxException {
        Path file = Path.of("/proc/" + pid + "/maps");
        try {
            List<ProcessMapping> mappings = new ArrayList<>();
            for (String line : Files.readAllLines(file, StandardCharsets.ISO_8859_1)) {
                mappings.add(parse(line));
            }
            return mappings;
        } catch (IOException e) {
            throw new LinuxException(
                    "reading " + file, Errno.ESRCH, "the process has ended or belongs to another user");
        }
    }

    static ProcessMapping parse(String line) {
        // The name may hold spaces and is padded to a column: split off only what comes before it.
        String[] fields = line.split(" +", FIELDS_BEFORE_NAME + 1);
        String[] range = fields[0].split("-", 2);
        return new ProcessMapping(
                Long.parseUnsignedLong(range[0], 16),
                Long.parseUnsignedLong(range[1], 16),
                fields[1],
                Long.parseUnsignedLong(fields[2], 16),
                fields[3],
                Long.parseLong(fields[4]),
                fields.length > FIELDS_BEFORE_NAME ? fields[FIELDS_BEFORE_NAME] : "");
    }

    /**
     * Where process {@code pid} has mapped the first {@code bytes} of {@code file}, shared and in one piece. The file
     * is known by device and inode, so it does not matter under which name the process opened it.
     *
     * @throws LinuxException where it is not mapped so
     */
    public static ProcessMapping ofFile(long pid, Path file, long bytes) throws LinuxException {
        long device;
        long inode;
        try {
            device = (Long) Files.getAttribute(file, "unix:dev");
            inode = ((Number) Files.getAttribute(file, "unix:ino")).longValue();
        } catch (IOException e) {
            throw new LinuxException("stat(" + file + ")", Errno.ENOENT);
        }
        return wholeFile(of(pid), deviceText(device), inode, bytes)
                .orElseThrow(() -> new LinuxException(
                        "looking for " + file + " in process " + pid,
                        Errno.ENOENT,
                        "the process has not mapped its first " + bytes + " bytes shared and in one piece: guest RAM"
                                + " must be a memory-backend-file with share=on"));
    }

    /** One mapping for all adjoining ones of the file that follow each other without a gap. */
    static Optional<ProcessMapping> wholeFile(List<ProcessMapping> mappings, String device, long inode, long bytes) {
        long start = 0;
        long end = 0;
        for (ProcessMapping mapping : mappings) {
            boolean sameFile = mapping.inode == inode && mapping.device.equals(device);
            if (!sameFile || !mapping.permissions.endsWith("s")) {
                continue;
            }
            if (mapping.offset == 0) {
                start = mapping.start;
                end = mapping.end;
            } else if (mapping.start == end && mapping.offset == end - start) {
                end = mapping.end;
            }
            if (end - start >= bytes) {
                return Optional.of(
                        new ProcessMapping(start, start + bytes, mapping.permissions, 0, device, inode, mapping.name));
            }
        }
        return Optional.empty();
    }

    /** The kernel's 64-bit device number as {@code maps} prints it (makedev(3)). */
    static String deviceText(long device) {
        long major = (device >>> 8 & 0xfff) | (device >>> 32 & ~0xfffL);
        long minor = (device & 0xff) | (device >>> 12 & ~0xffL);
        return "%02x:%02x".formatted(major, minor & 0xffffffffL);
    }
}
