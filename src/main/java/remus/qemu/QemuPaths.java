package remus.qemu;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import remus.linux.ProcessIdentity;
import remus.linux.UnixStreamSocket;

/**
 * Where one QEMU keeps its files. The runtime directory belongs to this QEMU alone and lies on a tmpfs, for it holds
 * the guest's RAM; its path is short, for the sockets in it are limited to {@value UnixStreamSocket#MAX_PATH_BYTES}
 * bytes. The log directory outlives it.
 *
 * @param runtimeDirectory absolute, on tmpfs, at most 98 bytes long
 * @param logDirectory absolute; receives {@code qemu.log}
 */
public record QemuPaths(Path runtimeDirectory, Path logDirectory) {
    /** Name of the file behind the guest's RAM. */
    public static final String RAM_FILE = "ram";

    private static final String STATE_FILE = "s";

    private static final String LONGEST_SOCKET_NAME = "incoming";

    public QemuPaths {
        if (!runtimeDirectory.isAbsolute() || !logDirectory.isAbsolute()) {
            throw new IllegalArgumentException(
                    "paths must be absolute: runtime=" + runtimeDirectory + " log=" + logDirectory);
        }
        int length = runtimeDirectory.resolve(LONGEST_SOCKET_NAME).toString().getBytes(StandardCharsets.UTF_8).length;
        if (length > UnixStreamSocket.MAX_PATH_BYTES) {
            throw new IllegalArgumentException("the runtime directory's path is too long for UNIX sockets: " + length
                    + " bytes with the socket's name, limit " + UnixStreamSocket.MAX_PATH_BYTES
                    + "; choose a shorter directory than " + runtimeDirectory);
        }
    }

    /** The guest's RAM, shared between QEMU and us. */
    public Path ramFile() {
        return runtimeDirectory.resolve(RAM_FILE);
    }

    /** Where QEMU writes the device state of each checkpoint. */
    public Path stateFile() {
        return runtimeDirectory.resolve(STATE_FILE);
    }

    /**
     * The state file's name as that QEMU understands it: the shortest there is ({@link PauseCommands}), for QEMU is
     * started in the runtime directory; for one that was not, the whole path.
     */
    public String stateFileFor(ProcessIdentity qemu) throws IOException {
        Path itsDirectory = Path.of("/proc", Long.toString(qemu.pid()), "cwd");
        return Files.isSameFile(itsDirectory, runtimeDirectory)
                ? STATE_FILE
                : stateFile().toString();
    }

    public Path qmpSocket() {
        return runtimeDirectory.resolve("qmp");
    }

    /** Of the monitor that saves the device state. */
    public Path saverSocket() {
        return runtimeDirectory.resolve("qmp-save");
    }

    /** QEMU's end of network interface {@code index}, counted from 0 in the order of the definition. */
    public Path nicSocket(int index) {
        return runtimeDirectory.resolve("nic" + index);
    }

    /** Our NBD server's, with an export for each disk. */
    public Path diskSocket() {
        return runtimeDirectory.resolve("disks");
    }

    /** Where a standby waits for its device state. */
    public Path incomingSocket() {
        return runtimeDirectory.resolve(LONGEST_SOCKET_NAME);
    }

    /** What QEMU wrote to its standard error and output; appended to by each start. */
    public Path logFile() {
        return logDirectory.resolve("qemu.log");
    }

    /** Creates both directories, readable by their owner only, and removes files that an earlier QEMU left there. */
    public void create() throws IOException {
        Files.createDirectories(
                runtimeDirectory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        Files.createDirectories(logDirectory);
        removeRuntimeFiles();
    }

    /** Removes the runtime directory with the files named here; the log stays. Does nothing when it is not there. */
    public void remove() throws IOException {
        removeRuntimeFiles();
        Files.deleteIfExists(runtimeDirectory);
    }

    private void removeRuntimeFiles() throws IOException {
        List<Path> files = new ArrayList<>(
                List.of(ramFile(), stateFile(), qmpSocket(), saverSocket(), diskSocket(), incomingSocket()));
        for (int nic = 0; nic < QemuArguments.MAX_NICS; nic++) {
            files.add(nicSocket(nic));
        }
        for (Path file : files) {
            Files.deleteIfExists(file);
        }
    }
}
