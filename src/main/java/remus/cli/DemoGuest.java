package remus.cli;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import remus.base.RemusException;
import remus.bench.GuestImage;
import remus.qemu.MachineType;
import remus.qemu.VmDefinition;

/**
 * The demo's guest: Debian's kernel and redis-server, made into an image by a script of the project.
 *
 * @param image as the project's script has made it
 */
record DemoGuest(GuestImage image) {
    /** The VM's name. */
    static final String NAME = "shop";

    /** Where the guest's Redis listens. */
    static final String ADDRESS = "10.77.0.2";

    static final int REDIS_PORT = 6379;

    private static final Duration POLL = Duration.ofMillis(50);

    /** Makes the image, or finds it in the cache; what the script says goes to stderr. */
    static DemoGuest make() throws RemusException, InterruptedException {
        return new DemoGuest(GuestImage.make());
    }

    /** The VM's definition in YAML. */
    String definition() throws RemusException {
        return definition("remus.run=redis");
    }

    /** The same with other work for the guest, in the words of its kernel command line. */
    String definition(String work) throws RemusException {
        return definition(MachineType.Q35, work);
    }

    /** The same on another machine, which this image must be made for. */
    String definition(MachineType machine, String work) throws RemusException {
        VmDefinition.Boot boot =
                image.boot(machine, "remus.ip=%s/%d %s".formatted(ADDRESS, DemoTopology.PREFIX_LENGTH, work));
        return """
                name: %s
                machine: %s
                memory: 256MiB
                accelerator: tcg
                boot: {kernel: %s, initrd: %s, cmdline: "%s"}
                nics: [{mac: "52:54:00:12:34:56", bridge: %s}]
                console: console.log
                """.formatted(
                        NAME, machine.key(), boot.kernel(), boot.initrd(), boot.cmdline(), DemoTopology.HOST_BRIDGE);
    }

    /** Waits until the guest's Redis takes connections. */
    static void awaitRedis(NamespaceThread inside, Duration limit) throws RemusException, InterruptedException {
        long deadline = System.nanoTime() + limit.toNanos();
        while (true) {
            try {
                inside.connect(ADDRESS, REDIS_PORT).close();
                return;
            } catch (RemusException | IOException e) {
                if (System.nanoTime() - deadline > 0) {
                    throw new CommandException("the guest does not answer within %d s".formatted(limit.toSeconds()), e);
                }
                TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
            }
        }
    }

    /** A client on one TCP connection. */
    static RedisClientLoad connect(NamespaceThread inside, long seed) throws CommandException {
        try {
            return RedisClientLoad.start(
                    () -> {
                        try {
                            return inside.connect(ADDRESS, REDIS_PORT);
                        } catch (RemusException e) {
                            throw new IOException(e.getMessage(), e);
                        }
                    },
                    seed);
        } catch (IOException e) {
            throw new CommandException("the client can't connect: " + e.getMessage(), e);
        }
    }
}
