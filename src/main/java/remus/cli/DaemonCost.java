package remus.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import remus.bench.ThroughputTally;

/**
 * What a host's daemon takes for a while, as Linux tells it of its process; QEMU is another one.
 *
 * @param cpu user and system time of all its threads until then
 */
record DaemonCost(String host, long pid, long nanos, Duration cpu) {
    private static final String RESIDENT = "VmRSS:";

    /** From now on. */
    static DaemonCost begin(DemoHost host) throws CommandException {
        return new DaemonCost(host.name(), host.pid(), System.nanoTime(), cpu(host.name(), host.pid()));
    }

    /** Until now. */
    ThroughputTally.Daemon end() throws CommandException {
        double used = cpu(host, pid).minus(cpu).toNanos();
        return new ThroughputTally.Daemon(used / (System.nanoTime() - nanos) * 100, residentBytes());
    }

    private static Duration cpu(String host, long pid) throws CommandException {
        return ProcessHandle.of(pid)
                .flatMap(process -> process.info().totalCpuDuration())
                .orElseThrow(
                        () -> new CommandException("host %s has ended in the middle of the bench".formatted(host)));
    }

    private long residentBytes() throws CommandException {
        try {
            for (String line : Files.readAllLines(Path.of("/proc", Long.toString(pid), "status"))) {
                if (line.startsWith(RESIDENT)) {
                    return Long.parseLong(line.replaceAll("\\D", "")) << 10;
                }
            }
            throw new IOException("no " + RESIDENT);
        } catch (IOException e) {
            throw new CommandException("the memory of host %s can't be told: %s".formatted(host, e.getMessage()), e);
        }
    }
}
