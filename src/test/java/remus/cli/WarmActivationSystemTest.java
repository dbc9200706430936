package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeFormatter;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.Event;
import remus.api.EventType;
import remus.api.WhenAlone;

/** What a client waits for is not the loading of classes: {@link Rehearsal} has met all that an activation needs. */
@Tag("system")
@Timeout(180)
class WarmActivationSystemTest {
    /** As -Xlog writes it. */
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSZ");

    @TempDir
    private Path directory;

    /** A class as a JVM tells that it has it from now on. */
    private record Loaded(Instant time, String line) {
        static Loaded of(String line) {
            int end = line.indexOf(']');
            return new Loaded(OffsetDateTime.parse(line.substring(1, end), TIME).toInstant(), line.substring(end + 1));
        }

        boolean isBetween(Instant from, Instant to) {
            return !time.isBefore(from) && !time.isAfter(to);
        }
    }

    @Test
    void anActivationIsTheFirstToLoadNoClassOfOurs() throws Exception {
        Path loads = directory.resolve("loads");
        List<String> telling = List.of("-Xlog:class+load=info:file=" + loads + ":time:filecount=0");
        try (TwoHosts hosts = TwoHosts.open(directory, List.of(), telling)) {
            assumeTrue(TestInstallation.hasCache(), "no class cache can be made here");
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, "300ms", WhenAlone.HOLD);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                Instant killed = Instant.now();
                hosts.alpha.kill(hosts.qemuPid(hosts.alpha));
                Event activated = hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
                hosts.awaitAnswers(load, 20);
                List<String> late = Files.readAllLines(loads).stream()
                        .map(Loaded::of)
                        .filter(loaded -> loaded.isBetween(killed, activated.time()))
                        .map(Loaded::line)
                        .toList();
                assertEquals(
                        List.of(),
                        late.stream().filter(line -> line.contains("remus.")).toList(),
                        () -> "all that was loaded: " + String.join("\n", late));
            }
        }
    }
}
