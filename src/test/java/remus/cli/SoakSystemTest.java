package remus.cli;

import static org.junit.jupiter.api.Assertions.assertNull;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.EventType;
import remus.api.Json;
import remus.base.RemusException;

/**
 * Three hosts, three VMs under steady load of a client each, and one {@link SoakEvent} after the other, each once all VMs are
 * protected again. At the end nothing is lost, no connection was reset, and hosts without VMs have what they had at the
 * beginning. {@code ./build soak --minutes N --seed S} runs it longer; its document is {@code target/soak.json}.
 */
@Tag("system")
@Tag("long")
@Timeout(value = 12, unit = TimeUnit.HOURS)
class SoakSystemTest {
    private static final long MINUTES = Long.getLong("remus.soak.minutes", 2);
    private static final long SEED = Long.getLong("remus.soak.seed", 1);
    private static final int MAX_QUIET_MILLIS = 3_000;

    /** For the end: clients read all back, VMs end, hosts are counted. */
    private static final Duration RESERVE = Duration.ofSeconds(20);

    private static final String EMPTY = "without VMs";
    private static final Path DOCUMENT = Path.of("target", "soak.json");

    /** Receives what was told, also by a soak that passed: a false take-over has a cause, too. */
    private static final Path KEPT = Path.of("target", "soak");

    @TempDir
    private Path directory;

    private final long beganNanos = System.nanoTime();
    private final Random random = new Random(SEED);
    private final List<SoakReport.Happened> happened = new ArrayList<>();
    private final List<String> problems = new ArrayList<>();
    private final SoakDaemons daemons = new SoakDaemons();
    private final SoakStory story = new SoakStory();

    @Test
    void nothingIsLostWhateverHappensToTheHosts() throws Exception {
        try (SoakHosts hosts = SoakHosts.open(directory)) {
            LeakCheck leaks = new LeakCheck(new HostCensus(directory));
            try {
                leaks.before(EMPTY, hosts::hosts);
                hosts.startVms(SEED);
                happen(hosts, new SoakMischief(hosts, random));
                problems.addAll(hosts.end());
                story.read(hosts.hosts(), "the end", Set.of());
                leaks.again(EMPTY, hosts::hosts);
            } catch (RemusException | IOException e) {
                problems.add(e.getMessage());
                story.read(hosts.hosts(), "the failure", Set.of());
                System.err.println(hosts.state());
            }
            SoakReport report = report(hosts, leaks);
            Files.writeString(DOCUMENT, Json.write(report) + "\n");
            String verdict = report.verdict();
            story.keep(KEPT, hosts.hosts());
            if (verdict != null) {
                System.err.printf(
                        "%s%n(all of it, and the logs of daemons and QEMUs, are in %s)%n", story.last(), KEPT);
            }
            System.err.println(report.text());
            assertNull(verdict);
        }
    }

    /** At least one event. */
    private void happen(SoakHosts hosts, SoakMischief mischief)
            throws RemusException, InterruptedException, IOException {
        long end = beganNanos + Duration.ofMinutes(MINUTES).minus(RESERVE).toNanos();
        story.read(hosts.hosts(), "the beginning", Set.of());
        do {
            TimeUnit.MILLISECONDS.sleep(random.nextInt(MAX_QUIET_MILLIS)); // the moment is what is tried
            hosts.awaitAllProtected();
            SoakEvent event = mischief.next();
            String number = "%d: %s".formatted(happened.size() + 1, event);
            story.add(number);
            long since = System.nanoTime();
            SoakMischief.Deed deed = mischief.happen(event);
            hosts.awaitAllProtected();
            SoakReport.Happened one =
                    new SoakReport.Happened(event, longestStallMillis(hosts, since), (System.nanoTime() - since) / 1e6);
            happened.add(one);
            String done = "%s: %s".formatted(number, deed.what());
            System.err.printf(
                    "%s: stall %.0f ms, all protected after %.0f ms%n", done, one.stallMillis(), one.protectedMillis());
            story.read(hosts.hosts(), done, deed.mayMove());
            daemons.look(hosts.hosts());
        } while (System.nanoTime() - end < 0);
    }

    private static double longestStallMillis(SoakHosts hosts, long sinceNanos) {
        double longest = 0;
        for (ClientLoad load : hosts.loads()) {
            longest = Math.max(
                    longest,
                    load.answers()
                            .longestStallAfter(sinceNanos)
                            .map(AnswerTimes.Stall::millis)
                            .orElse(0.0));
        }
        return longest;
    }

    private SoakReport report(SoakHosts hosts, LeakCheck leaks) {
        int vms = hosts.vms().size();
        List<ClientLoad.Figures> clients =
                hosts.loads().stream().map(ClientLoad::figures).toList();
        long switchovers = story.count(EventType.SWITCHED_OVER);
        return new SoakReport(
                MINUTES,
                SEED,
                vms,
                SoakReport.kinds(happened),
                story.count(EventType.ACTIVATED) - switchovers,
                story.falseTakeOvers(),
                switchovers,
                Math.max(0, story.count(EventType.PROTECTED) - vms),
                clients.stream().mapToLong(ClientLoad.Figures::acknowledged).sum(),
                clients.stream().mapToLong(ClientLoad.Figures::lost).sum(),
                clients.stream().mapToLong(ClientLoad.Figures::resets).sum(),
                leaks.leaks(),
                daemons.longest(),
                problems);
    }
}
