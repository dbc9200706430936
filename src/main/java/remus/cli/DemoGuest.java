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
        return definition(DemoVm.SHOP, machine, "256MiB", work);
    }

    /** The same for another VM, with {@code memory} of it. */
    String definition(DemoVm vm, MachineType machine, String memory, String work) throws RemusException {
        VmDefinition.Boot boot =
                image.boot(machine, "remus.ip=%s/%d %s".formatted(vm.address(), DemoTopology.PREFIX_LENGTH, work));
        return """
                name: %s
                machine: %s
                memory: %s
                accelerator: tcg
                boot: {kernel: %s, initrd: %s, cmdline: "%s"}
                nics: [{mac: "%s", bridge: %s}]
                console: %s.log
                """.formatted(
                        vm.name(),
                        machine.key(),
                        memory,
                        boot.kernel(),
                        boot.initrd(),
                        boot.cmdline(),
                        vm.mac(),
                        DemoTopology.HOST_BRIDGE,
                        vm.console());
    }

    /** Waits until the guest's Redis takes connections. */
    static void awaitRedis(NamespaceThread inside, Duration limit) throws RemusException, InterruptedException {
        awaitRedis(DemoVm.SHOP, inside, limit);
    }

    /** The same of another VM. */
    static void awaitRedis(DemoVm vm, NamespaceThread inside, Duration limit)
            throws RemusException, InterruptedException {
        long deadline = System.nanoTime() + limit.toNanos();
        while (true) {
            try {
                inside.connect(vm.address(), REDIS_PORT).close();
                return;
            } catch (RemusException | IOException e) {
                if (System.nanoTime() - deadline > 0) {
                    throw new CommandException(
                            "the guest of VM %s does not answer within %d s".formatted(vm.name(), limit.toSeconds()),
                            e);
                }
                TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
            }
        }
    }

    /** A client on one TCP connection. */
    static RedisClientLoad connect(NamespaceThread inside, long seed) throws CommandException {
        return connect(DemoVm.SHOP, inside, seed, LoadTally.REQUEST_EVERY);
    }

    /** The same to another VM; {@code every}: see {@link RedisClientLoad#start(RedisClientLoad.Connector, long, Duration)}. */
    static RedisClientLoad connect(DemoVm vm, NamespaceThread inside, long seed, Duration every)
            throws CommandException {
        try {
            return RedisClientLoad.start(
                    () -> {
                        try {
                            return inside.connect(vm.address(), REDIS_PORT);
                        } catch (RemusException e) {
                            throw new IOException(e.getMessage(), e);
                        }
                    },
                    seed,
                    every);
        } catch (IOException e) {
            throw new CommandException("the client of VM %s can't connect: %s".formatted(vm.name(), e.getMessage()), e);
        }
    }
}
