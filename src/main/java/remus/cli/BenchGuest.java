package remus.cli;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import remus.api.StartRequest;
import remus.base.ByteSize;
import remus.base.RemusException;
import remus.bench.GuestImage;
import remus.bench.StopSignal;
import remus.qemu.Accelerator;
import remus.qemu.MachineType;
import remus.qemu.VmDefinition;

/**
 * The small guest of a bench, as a VM of the first host. One at a time. Confined to one thread.
 *
 * @param console where it says what it does
 */
record BenchGuest(BenchHosts hosts, BenchConsole console, StopSignal stop) {
    static final String VM = "bench";
    static final String ADDRESS = "10.77.0.2";
    static final String MAC = "52:54:00:4d:00:02";
    private static final Duration END_LIMIT = Duration.ofSeconds(20);
    private static final Duration POLL = Duration.ofMillis(20);

    /** What it is made of. */
    record Shape(GuestImage image, ByteSize memory, Accelerator accelerator) {}

    /**
     * Boots it and waits until all its loads run.
     *
     * @param keys of the guest's command line, such as {@code remus.run=redis}
     * @param console name of a file that is not there yet
     */
    static BenchGuest boot(BenchHosts hosts, Shape shape, String keys, String console, StopSignal stop)
            throws RemusException, InterruptedException {
        BenchGuest guest =
                new BenchGuest(hosts, new BenchConsole(hosts.directory().resolve(console)), stop);
        String yaml = yaml(shape, keys, console);
        hosts.alpha()
                .post("/api/v1/vms", new StartRequest(yaml, hosts.directory().toString(), null));
        guest.console.awaitReady(() -> hosts.alpha().status(VM), stop);
        return guest;
    }

    static String yaml(Shape shape, String keys, String console) throws RemusException {
        VmDefinition.Boot boot = shape.image()
                .boot(MachineType.Q35, "remus.ip=%s/%d %s".formatted(ADDRESS, DemoTopology.PREFIX_LENGTH, keys));
        return """
                name: %s
                machine: q35
                cpus: 1
                memory: %dB
                accelerator: %s
                boot: {kernel: %s, initrd: %s, cmdline: "%s"}
                nics: [{mac: "%s", bridge: %s}]
                console: %s
                """.formatted(
                        VM,
                        shape.memory().bytes(),
                        shape.accelerator().key(),
                        boot.kernel(),
                        boot.initrd(),
                        boot.cmdline(),
                        MAC,
                        DemoTopology.HOST_BRIDGE,
                        console);
    }

    /** Times its work; see {@link WorkClock#WorkClock}. */
    WorkClock clock(String prefix) throws CommandException {
        return new WorkClock(console, prefix, stop);
    }

    /** Ends it; it must not be protected. */
    void end() throws RemusException, InterruptedException {
        hosts.alpha().post(VmPath.verb(VM, "stop"));
        long deadline = System.nanoTime() + END_LIMIT.toNanos();
        while (!hosts.alpha().status().vms().isEmpty()) {
            if (System.nanoTime() - deadline > 0) {
                throw new CommandException(
                        "host %s keeps its VM".formatted(hosts.alpha().name()));
            }
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
        }
    }
}
