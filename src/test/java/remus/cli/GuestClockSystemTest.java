package remus.cli;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.api.WhenAlone;
import remus.bench.DiskGuestImage;

/**
 * A guest's clock loses the time for which the guest stands still, status tells how much, and a Debian guest that is set up
 * as docs/OPERATING.md says has the right time again, whatever happens to it.
 */
@Tag("system")
@Timeout(300)
class GuestClockSystemTest {
    /** How wrong a clock that is corrected each second may be, though the guest stands still for half of all time. */
    private static final long BOUND_MILLIS = 1_000;

    private static final long PAUSE_MILLIS = 3_000;

    /** The file that the page shows, with the server's address in it. */
    private static final Pattern SETTINGS = Pattern.compile("(?s)```\\n# /etc/chrony/chrony\\.conf\\n(.*?)```");

    private static final String SERVER_IN_PAGE = "192.0.2.254";
    private static final String TIME_QUERY = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    private static final Duration POLL = Duration.ofMillis(200);

    @TempDir
    private Path directory;

    /** How far a guest's clock is ahead of this machine's: at least and at most, for asking takes time. */
    private record Offset(long leastMillis, long mostMillis) {
        static Offset of(Connection guest) throws SQLException {
            try (Statement question = guest.createStatement()) {
                long before = System.currentTimeMillis();
                ResultSet answer = question.executeQuery(TIME_QUERY);
                long after = System.currentTimeMillis();
                answer.next();
                return new Offset(answer.getLong(1) - after, answer.getLong(1) - before);
            }
        }

        boolean isWithin(long millis) {
            return -millis <= leastMillis && mostMillis <= millis;
        }
    }

    private static String documentedSettings() throws Exception {
        Matcher settings = SETTINGS.matcher(Files.readString(Path.of("docs", "OPERATING.md")));
        assertTrue(settings.find());
        return settings.group(1);
    }

    private static void setUpChrony(DiskGuest guest) throws Exception {
        String settings = documentedSettings().replace(SERVER_IN_PAGE, DemoTopology.Place.CLIENT.address());
        guest.run("printf '%s' > /etc/chrony/chrony.conf && chronyd".formatted(settings.replace("\n", "\\n")));
    }

    private static void awaitRightTime(Connection guest) throws Exception {
        long deadline = System.nanoTime() + TwoHosts.LIMIT.toNanos();
        Offset offset = Offset.of(guest);
        while (!offset.isWithin(BOUND_MILLIS)) {
            assertTrue(System.nanoTime() - deadline < 0, "the guest's clock stays wrong: " + offset);
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
            offset = Offset.of(guest);
        }
    }

    /** Has the guest stand still until its clock has lost {@link #PAUSE_MILLIS}; returns what it has lost in all. */
    private static long pause(DemoHost host) throws Exception {
        long before = host.status(DemoGuest.NAME).guestClockLagMillis();
        host.post(VmPath.verb(DemoGuest.NAME, "pause"));
        VmStatus behind = host.await(
                DemoGuest.NAME,
                vm -> vm.guestClockLagMillis() >= before + PAUSE_MILLIS,
                TwoHosts.LIMIT,
                "behind by the pause");
        host.post(VmPath.verb(DemoGuest.NAME, "resume"));
        return behind.guestClockLagMillis();
    }

    @Test
    void aProtectedGuestWithChronyHasTheRightTimeAgainAfterPausesAndAFailover() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory);
                NtpServer _ = new NtpServer(hosts.inside, DemoTopology.Place.CLIENT.address())) {
            DiskGuest guest = DiskGuest.boot(hosts);
            Connection database = hosts.inside.call(
                    () -> PostgresClientLoad.open(DiskGuest.ADDRESS, DiskGuestImage.DATABASE_PORT, "demo"));
            Offset booted = Offset.of(database);
            pause(hosts.alpha);
            Offset paused = Offset.of(database);
            assertTrue(
                    paused.leastMillis() < booted.mostMillis() - PAUSE_MILLIS,
                    "the guest has lost the pause: " + booted + ", " + paused);

            setUpChrony(guest);
            hosts.protect(hosts.alpha, hosts.beta, "2s", WhenAlone.HOLD);
            awaitRightTime(database);

            long lost = pause(hosts.alpha);
            // Until a checkpoint has it that the guest was resumed, the backup would take over a paused one.
            long resumedIn = hosts.alpha.status(DemoGuest.NAME).epoch();
            hosts.alpha.await(
                    DemoGuest.NAME,
                    vm -> vm.committedEpoch() > resumedIn,
                    TwoHosts.LIMIT,
                    "resumed on the backup, too");
            TwoHosts.signal("KILL", hosts.qemuPid(hosts.alpha));
            VmStatus taken = hosts.await(hosts.beta, VmState.PROTECTED);
            assertTrue(taken.guestClockLagMillis() > lost, "what it lost before is counted there, too: " + taken);
            awaitRightTime(database);
            database.close();
        }
    }
}
