package remus.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import remus.api.Json;
import remus.base.RemusException;
import remus.bench.GuestImage;
import remus.bench.StopSignal;
import remus.bench.ThroughputWorkload;

/**
 * Runs Debian's clients against the small guest's services, in the client's namespace, and reads what they say. They measure
 * by the host's clock. Confined to one thread.
 */
final class GuestClients {
    /** Of redis-benchmark, when nobody knows yet how fast the guest is. */
    static final long FIRST_REQUESTS = 2_000;

    private static final long MAX_REQUESTS = 100_000_000;
    private static final int KEYS = 10_000;
    private static final int VALUE_BYTES = 64;
    private static final Duration LIMIT = Duration.ofMinutes(5);
    private static final Duration POLL = Duration.ofMillis(100);

    private final BenchHosts hosts;
    private final GuestImage image;
    private final StopSignal stop;

    GuestClients(BenchHosts hosts, GuestImage image, StopSignal stop) {
        this.hosts = hosts;
        this.image = image;
        this.stop = stop;
    }

    /** What {@code iperf3 --json} says, of which this much is looked at. */
    record IperfReport(@Nullable String error, @Nullable End end) {
        record End(Sum sum_sent, Sum sum_received) {}

        /** @param seconds by the clock of the end that it is about */
        record Sum(double seconds, double bytes) {}

        /**
         * What has arrived in the time that the client took, in megabits per second. The guest's clock stands still in
         * pauses, and is left out.
         *
         * @param reverse whether the guest sent
         */
        double megabitsPerSecond(boolean reverse) throws CommandException {
            End told = end;
            if (error != null || told == null) {
                throw new CommandException("iperf3 has failed: " + error);
            }
            double seconds =
                    reverse ? told.sum_received().seconds() : told.sum_sent().seconds();
            return told.sum_received().bytes() * 8 / seconds / 1e6;
        }
    }

    /** Over one connection; returns megabits per second. */
    double iperf(boolean reverse, Duration duration) throws RemusException, InterruptedException {
        List<String> arguments =
                new ArrayList<>(List.of("-c", BenchGuest.ADDRESS, "-t", Long.toString(duration.toSeconds()), "--json"));
        if (reverse) {
            arguments.add("--reverse");
        }
        return Json.read(run("iperf3", arguments, duration), IperfReport.class).megabitsPerSecond(reverse);
    }

    /** So many SETs and so many GETs; returns requests per second. */
    double redis(long requests) throws RemusException, InterruptedException {
        long asked = Math.clamp(requests, ThroughputWorkload.CLIENTS, MAX_REQUESTS);
        String report = run(
                "redis-benchmark",
                List.of(
                        "-h",
                        BenchGuest.ADDRESS,
                        "-c",
                        Integer.toString(ThroughputWorkload.CLIENTS),
                        "-n",
                        Long.toString(Math.ceilDiv(asked, 2)),
                        "-r",
                        Integer.toString(KEYS),
                        "-d",
                        Integer.toString(VALUE_BYTES),
                        "-t",
                        "set,get",
                        "--csv"),
                Duration.ZERO);
        return requestsPerSecond(report);
    }

    /** Of as many SETs as GETs, from the lines of {@code redis-benchmark --csv}. */
    static double requestsPerSecond(String csv) throws CommandException {
        double secondsPerPair = 0;
        for (String test : List.of("SET", "GET")) {
            String rate = csv.lines()
                    .map(line -> line.replace("\"", "").split(",", -1))
                    .filter(fields -> fields.length > 1 && fields[0].equals(test))
                    .map(fields -> fields[1])
                    .findFirst()
                    .orElseThrow(() -> new CommandException(
                            "redis-benchmark tells nothing of %s: %s".formatted(test, Printable.line(csv.strip()))));
            secondsPerPair += 1 / Double.parseDouble(rate);
        }
        return 2 / secondsPerPair;
    }

    /** Returns what it says; it may take {@link #LIMIT} longer than it is to run. */
    private String run(String program, List<String> arguments, Duration duration)
            throws RemusException, InterruptedException {
        List<String> command = Stream.concat(image.client(program).stream(), arguments.stream())
                .toList();
        Path said = hosts.directory().resolve(program + ".out");
        Path complained = hosts.directory().resolve(program + ".err");
        try {
            Process process = new ProcessBuilder(hosts.topology().inside(DemoTopology.Place.CLIENT, command))
                    .redirectInput(Path.of("/dev/null").toFile())
                    .redirectOutput(said.toFile())
                    .redirectError(complained.toFile())
                    .start();
            try {
                long deadline = System.nanoTime() + duration.plus(LIMIT).toNanos();
                while (!process.waitFor(POLL.toNanos(), TimeUnit.NANOSECONDS)) {
                    stop.check();
                    if (System.nanoTime() - deadline > 0) {
                        throw new CommandException("%s does not end".formatted(program));
                    }
                }
            } finally {
                process.destroyForcibly();
            }
            String answer = Files.readString(said);
            // iperf3 says in its report what was wrong.
            if (process.exitValue() != 0 && answer.isBlank()) {
                throw new CommandException("%s has failed with %d: %s"
                        .formatted(program, process.exitValue(), Printable.line(Files.readString(complained))));
            }
            return answer;
        } catch (IOException e) {
            throw new CommandException("%s can't be run: %s".formatted(program, e.getMessage()), e);
        }
    }
}
