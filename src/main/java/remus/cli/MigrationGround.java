package remus.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import remus.base.RemusException;
import remus.bench.BenchException;
import remus.bench.GuestImage;
import remus.bench.GuestLoad;
import remus.bench.MigrationSettings;
import remus.bench.StopSignal;
import remus.qemu.MachineType;
import remus.qemu.VmDefinition;

/**
 * Where the migration bench's guests live, whoever moves them: one network, one address, one image.
 *
 * @param directory for consoles and the hosts' state
 * @param inside a thread in the client's namespace
 */
record MigrationGround(
        MigrationSettings settings,
        GuestImage image,
        DemoTopology topology,
        NamespaceThread inside,
        Path directory,
        StopSignal stop) {
    static final String VM = "bench";
    static final String MAC = "52:54:00:4d:00:02";
    private static final String ADDRESS = "10.77.0.2";

    private static final Duration BOOT_LIMIT = Duration.ofMinutes(3);
    private static final Duration POLL = Duration.ofMillis(50);

    /** Looks whether what the guest needs is still there. */
    @FunctionalInterface
    interface Check {
        void run() throws RemusException;
    }

    VmDefinition.Boot boot(GuestLoad load) throws BenchException {
        return image.boot(
                MachineType.Q35,
                "remus.ip=%s/%d %s".formatted(ADDRESS, DemoTopology.PREFIX_LENGTH, load.keysWithEcho()));
    }

    /** Waits until the guest that writes that console has all loads running, and connects to it. */
    EchoClient connect(Path console, Check check) throws RemusException, InterruptedException {
        long deadline = System.nanoTime() + BOOT_LIMIT.toNanos();
        while (true) {
            stop.check();
            check.run();
            if (text(console).contains(GuestImage.READY)) {
                try {
                    return EchoClient.start(inside.connect(ADDRESS, EchoClient.PORT));
                } catch (CommandException | IOException e) {
                    expire(deadline, "%s refuses its client: %s".formatted(VM, e.getMessage()));
                }
            }
            expire(deadline, "the last line of its console: " + lastLine(console));
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
        }
    }

    private static void expire(long deadline, String why) throws CommandException {
        if (System.nanoTime() - deadline > 0) {
            throw new CommandException("the guest did not boot within %d s; %s".formatted(BOOT_LIMIT.toSeconds(), why));
        }
    }

    private static String lastLine(Path console) throws CommandException {
        return text(console).lines().reduce((first, second) -> second).orElse("(none)");
    }

    private static String text(Path console) throws CommandException {
        try {
            return Files.exists(console) ? Files.readString(console, StandardCharsets.ISO_8859_1) : "";
        } catch (IOException e) {
            throw new CommandException("the guest's console can't be read: " + e.getMessage(), e);
        }
    }
}
