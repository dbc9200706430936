package remus.cli;

import java.io.IOException;
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
 * @param hosts started only where ours move them
 */
record MigrationGround(MigrationSettings settings, GuestImage image, BenchHosts hosts, StopSignal stop) {
    private static final Duration CONNECT_LIMIT = Duration.ofMinutes(1);
    private static final Duration POLL = Duration.ofMillis(50);

    Path directory() {
        return hosts.directory();
    }

    /** What a guest with that load is made of. */
    VmDefinition.Boot boot(GuestLoad load) throws BenchException {
        return image.boot(
                MachineType.Q35,
                "remus.ip=%s/%d %s".formatted(BenchGuest.ADDRESS, DemoTopology.PREFIX_LENGTH, load.keysWithEcho()));
    }

    /** Waits until the guest that writes that console has all loads running, and connects to it. */
    EchoClient connect(Path console, BenchConsole.Check check) throws RemusException, InterruptedException {
        new BenchConsole(console).awaitReady(check, stop);
        long deadline = System.nanoTime() + CONNECT_LIMIT.toNanos();
        while (true) {
            stop.check();
            check.run();
            try {
                return EchoClient.start(hosts.inside().connect(BenchGuest.ADDRESS, EchoClient.PORT));
            } catch (CommandException | IOException e) {
                if (System.nanoTime() - deadline > 0) {
                    throw new CommandException(
                            "the guest refuses its client for %d s: %s"
                                    .formatted(CONNECT_LIMIT.toSeconds(), e.getMessage()),
                            e);
                }
            }
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
        }
    }
}
