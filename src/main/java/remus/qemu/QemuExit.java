package remus.qemu;

import java.util.List;

/**
 * How a QEMU ended.
 *
 * @param exitCode its exit code, or 128 + the number of the signal that killed it; {@link #UNKNOWN} where it was no child
 *     of this process
 * @param lastErrorLines the end of what this QEMU wrote to standard error, oldest first
 */
public record QemuExit(int exitCode, List<String> lastErrorLines) {
    /** Only a process' parent learns its exit code. */
    public static final int UNKNOWN = -1;

    private static final int SIGNAL_BASE = 128;

    public QemuExit {
        lastErrorLines = List.copyOf(lastErrorLines);
    }

    /** One line: how it ended and what it last said. */
    @Override
    public String toString() {
        String how = exitCode == UNKNOWN
                ? "QEMU, started by a former daemon, has ended"
                : exitCode > SIGNAL_BASE
                        ? "QEMU was killed by " + signal(exitCode - SIGNAL_BASE)
                        : "QEMU ended with exit code " + exitCode;
        return lastErrorLines.isEmpty() ? how : how + ": " + String.join(" | ", lastErrorLines);
    }

    private static String signal(int number) {
        return switch (number) {
            case 6 -> "SIGABRT (it gave up on an error of its own)";
            case 7 -> "SIGBUS (no room is left for guest RAM on the tmpfs of its runtime directory)";
            case 9 -> "SIGKILL (by somebody, or by the kernel for lack of memory)";
            case 11 -> "SIGSEGV (a fault of its own)";
            case 15 -> "SIGTERM";
            default -> "signal " + number;
        };
    }
}
