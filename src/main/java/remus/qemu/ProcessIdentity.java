package remus.qemu;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import remus.base.ErrorCategory;

/**
 * One process for good: its id together with what distinguishes it from a later process of the same id. Can be written
 * down and checked again by another daemon, so that only ever one's own QEMU is killed.
 *
 * @param pid process id
 * @param startTicks start time after boot in clock ticks (proc_pid_stat(5), field 22)
 * @param bootId the boot that the ticks count from ({@code /proc/sys/kernel/random/boot_id})
 */
public record ProcessIdentity(long pid, long startTicks, String bootId) {
    private static final Path BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");
    /** Of the fields that follow the command's closing parenthesis, the first being field 3. */
    private static final int START_TIME = 22 - 3;

    private static final int STATE = 0;
    private static final Duration CHECK_INTERVAL = Duration.ofMillis(2);

    /** The process that has {@code pid} now; empty when there is none, or only a dead one that nobody has waited for. */
    public static Optional<ProcessIdentity> of(long pid) throws IOException {
        String stat;
        try {
            stat = Files.readString(Path.of("/proc/" + pid + "/stat"), StandardCharsets.ISO_8859_1);
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
        // The command may hold spaces and parentheses itself, so the last one counts.
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
        if (fields[STATE].equals("Z") || fields[STATE].equals("X")) {
            return Optional.empty();
        }
        return Optional.of(new ProcessIdentity(
                pid,
                Long.parseLong(fields[START_TIME]),
                Files.readString(BOOT_ID).strip()));
    }

    public boolean isAlive() throws IOException {
        return of(pid).equals(Optional.of(this));
    }

    /**
     * Kills the process (SIGKILL) if it still is this one, and waits until it is gone.
     *
     * @throws QemuException when it is still there after {@code limit}
     */
    public void kill(Duration limit) throws IOException, InterruptedException, QemuException {
        Optional<ProcessHandle> handle = ProcessHandle.of(pid);
        // The handle itself notes the start time, so a process that takes over the id after this check is safe.
        if (handle.isEmpty() || !isAlive()) {
            return;
        }
        handle.get().destroyForcibly();
        long deadline = System.nanoTime() + limit.toNanos();
        while (isAlive()) {
            if (System.nanoTime() - deadline >= 0) {
                throw new QemuException(
                        ErrorCategory.FATAL,
                        "process " + pid + " did not end within " + limit.toMillis() + "ms of its SIGKILL",
                        null);
            }
            // The JDK looks only every 300 ms after a process that is not its child, so we look ourselves.
            TimeUnit.NANOSECONDS.sleep(CHECK_INTERVAL.toNanos());
        }
    }
}
