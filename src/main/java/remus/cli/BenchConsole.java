package remus.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import remus.base.RemusException;
import remus.bench.GuestImage;
import remus.bench.StopSignal;

/**
 * What a guest has written on its serial console, which QEMU puts into a file.
 *
 * @param file may not be there yet
 */
record BenchConsole(Path file) {
    private static final Duration BOOT_LIMIT = Duration.ofMinutes(3);
    private static final Duration POLL = Duration.ofMillis(50);

    /** Looks whether what the guest needs is still there. */
    @FunctionalInterface
    interface Check {
        void run() throws RemusException;
    }

    /** Waits until the small guest has all its loads running. */
    void awaitReady(Check check, StopSignal stop) throws RemusException, InterruptedException {
        long deadline = System.nanoTime() + BOOT_LIMIT.toNanos();
        while (!text().contains(GuestImage.READY)) {
            stop.check();
            check.run();
            if (System.nanoTime() - deadline > 0) {
                throw new CommandException("the guest did not boot within %d s; the last line of its console: %s"
                        .formatted(BOOT_LIMIT.toSeconds(), lastLine()));
            }
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
        }
    }

    String lastLine() throws CommandException {
        return text().lines().reduce((first, second) -> second).orElse("(none)");
    }

    /** All of it, so far. */
    String text() throws CommandException {
        try {
            return Files.exists(file) ? Files.readString(file, StandardCharsets.ISO_8859_1) : "";
        } catch (IOException e) {
            throw new CommandException("the guest's console can't be read: " + e.getMessage(), e);
        }
    }
}
