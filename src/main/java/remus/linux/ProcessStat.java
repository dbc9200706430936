package remus.linux;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What the project reads from {@code /proc/PID/stat} of a process or thread (proc_pid_stat(5)).
 *
 * @param state field 3
 * @param flags field 9, the kernel's PF_ flags
 * @param startTicks field 22
 */
record ProcessStat(char state, long flags, long startTicks) {
    /** PF_USER_WORKER and PF_IO_WORKER (include/linux/sched.h): threads made by the kernel that run no user code. */
    private static final long KERNEL_MADE = 0x4000 | 0x10;

    /** Empty where there is no such process. */
    static Optional<ProcessStat> read(long pid) {
        return read(Path.of("/proc/" + pid + "/stat"));
    }

    static Optional<ProcessStat> read(Path file) {
        try {
            // The name may hold any byte; all that matters is ASCII and comes after it.
            return Optional.of(parse(Files.readString(file, StandardCharsets.ISO_8859_1)));
        } catch (IOException e) {
            // The process ended before or while we looked: for the caller the same as never having been there.
            return Optional.empty();
        }
    }

    static ProcessStat parse(String text) {
        // Field 2, the name in parentheses, may itself hold spaces and parentheses: count from the last one.
        String[] fields = text.substring(text.lastIndexOf(')') + 2).split(" ", -1);
        return new ProcessStat(fields[0].charAt(0), Long.parseLong(fields[6]), Long.parseLong(fields[19].strip()));
    }

    /** Whether it has ended: a zombie (Z) or about to vanish (X). */
    boolean hasEnded() {
        return state == 'Z' || state == 'X' || state == 'x';
    }

    boolean isKernelMade() {
        return (flags & KERNEL_MADE) != 0;
    }
}
