package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import remus.api.MigrationRound;
import remus.api.MigrationStage;
import remus.api.MigrationStatus;
import remus.api.ProtectRequest;
import remus.api.StartRequest;
import remus.api.WhenAlone;
import remus.base.RemusException;
import remus.memory.GuestMemory;

/**
 * The VM of a migration campaign that moves from host to host. One client has one connection to it as long as it lives: the
 * guest numbers its answers, so that it notices a guest that ran in two places. Another one writes around each migration,
 * and reads all of it back after that. Used by one thread.
 */
final class MigrationCampaignVm implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final Duration POLL = Duration.ofMillis(20);
    private static final Duration REQUEST_EVERY = Duration.ofMillis(10);
    private static final String NO_TAKE_OVER = "10s";

    /** Longer than the default: two processors do a round of a guest that writes much, and all else. */
    private static final String INTERVAL = "100ms";

    private final MigrationCampaignHosts campaign;
    private final ThreeHosts hosts;
    private final MigrationGuest guest;
    private final EchoClient echo;
    private DemoHost owner;

    private MigrationCampaignVm(
            MigrationCampaignHosts campaign, MigrationGuest guest, DemoHost owner, EchoClient echo) {
        this.campaign = campaign;
        this.hosts = campaign.hosts;
        this.guest = guest;
        this.owner = owner;
        this.echo = echo;
    }

    /** Boots it on a host, and waits until all of it answers. */
    static MigrationCampaignVm boot(MigrationCampaignHosts campaign, MigrationGuest guest, DemoHost on)
            throws Exception {
        ThreeHosts hosts = campaign.hosts;
        on.post("/api/v1/vms", new StartRequest(guest.definition(hosts.guest), hosts.directory.toString(), null));
        DemoGuest.awaitRedis(guest.vm(), hosts.inside, LIMIT);
        MigrationCampaignVm vm = new MigrationCampaignVm(campaign, guest, on, connect(hosts, guest.vm()));
        campaign.expectOnlyOn(on, vm.name());
        return vm;
    }

    private static EchoClient connect(ThreeHosts hosts, DemoVm vm) throws Exception {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (true) {
            try {
                return EchoClient.start(hosts.inside.connect(vm.address(), EchoClient.PORT));
            } catch (RemusException | IOException e) {
                if (System.nanoTime() - deadline > 0) {
                    throw new AssertionError("the echo service of %s does not listen".formatted(vm.name()), e);
                }
            }
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
        }
    }

    private String name() {
        return guest.vm().name();
    }

    MigrationGuest guest() {
        return guest;
    }

    /** Moves it as drawn, if it is to move, and checks all that must hold. */
    MigrationCampaignReport.Hop migrate(DrawnMigration drawn, long seed) throws Exception {
        List<DemoHost> others = campaign.othersThan(owner);
        DemoHost to = others.get(drawn.hop());
        DemoHost backup = others.get(1 - drawn.hop());
        DemoHost from = owner;
        try (RedisClientLoad load = DemoGuest.connect(guest.vm(), hosts.inside, seed, REQUEST_EVERY)) {
            ThreeHosts.awaitAnswers(load);
            if (drawn.isProtected()) {
                protect(backup);
            }
            long beganNanos = System.nanoTime();
            from.migrate(name(), drawn.to(to));
            MigrationStatus report = awaitEnd(from);
            expectAsOrdered(drawn, report);
            owner = drawn.isAborted() ? from : to;
            double stallMillis = awaitAnswers(load, beganNanos);
            expectSettled(drawn, backup);
            ClientLoad.Figures figures = expectNothingLost(load);
            return new MigrationCampaignReport.Hop(
                    drawn.workload(),
                    drawn.toString(),
                    drawn.isProtected(),
                    from.name(),
                    to.name(),
                    !drawn.isAborted(),
                    MigrationEnding.of(report).toString(),
                    String.valueOf(report.stopCondition()),
                    report.rounds(),
                    report.totalMicros() / 1e3,
                    millis(report.downtimeMicros()),
                    stallMillis,
                    Boolean.TRUE.equals(report.memoryEqual()),
                    figures.acknowledged(),
                    figures.lost(),
                    figures.resets());
        }
    }

    private void protect(DemoHost backup) throws RemusException, InterruptedException {
        owner.post(
                VmPath.verb(name(), "protect"),
                new ProtectRequest(
                        backup.replicationAddress().toString(),
                        INTERVAL,
                        null,
                        NO_TAKE_OVER,
                        null,
                        null,
                        WhenAlone.HOLD,
                        null,
                        null,
                        null));
        campaign.expectProtected(owner, backup, name());
    }

    private MigrationStatus awaitEnd(DemoHost from) throws Exception {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        MigrationStatus now = from.migration(name());
        while (now.stage() != MigrationStage.DONE && now.stage() != MigrationStage.FAILED) {
            assertTrue(System.nanoTime() - deadline < 0, "the migration does not end: " + now);
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
            now = from.migration(name());
        }
        return now;
    }

    // ---- what must hold

    private static void expectAsOrdered(DrawnMigration drawn, MigrationStatus report) {
        MigrationStage expected = drawn.isAborted() ? MigrationStage.FAILED : MigrationStage.DONE;
        assertEquals(expected, report.stage(), report::toString);
        MigrationEnding ending = MigrationEnding.of(report);
        assertNull(ending.contradiction(drawn.order(), report), report::toString);
        MigrationRound first = report.rounds().getFirst();
        assertEquals(report.memoryBytes() / GuestMemory.PAGE_BYTES, first.pages(), report::toString);
        assertEquals(
                first.pages(),
                first.pagesSent() + first.zeroPages() + first.skippedPages(),
                () -> "each page is sent, told to be zero, or left to the next round: " + report);
        if (drawn.isAborted()) {
            assertNull(report.downtimeMicros(), report::toString);
        } else {
            assertEquals(true, report.memoryEqual(), report::toString);
            assertNotNull(report.downtimeMicros(), report::toString);
        }
        if (drawn.cannotConverge()) {
            boolean isLimit = ending == MigrationEnding.DATA_USED_UP || ending == MigrationEnding.ROUNDS_USED_UP;
            assertTrue(isLimit, () -> "a guest that is faster than the link converged: " + report);
        }
    }

    /** It runs on one host, goes on with what it did, and the others have nothing of it. */
    private void expectSettled(DrawnMigration drawn, DemoHost backup) throws RemusException, InterruptedException {
        if (drawn.isProtected()) {
            campaign.expectProtected(owner, backup, name());
            owner.post(VmPath.verb(name(), "unprotect"));
        }
        campaign.expectOnlyOn(owner, name());
        long qemu = Objects.requireNonNull(owner.status(name()).qemuPid());
        assertNull(GuestProof.whatIsMissing(echo, guest.load(), qemu));
    }

    /** What the client has written since before the migration is read back, over the connection that it had then. */
    private ClientLoad.Figures expectNothingLost(RedisClientLoad load) throws InterruptedException {
        ClientLoad.Figures figures = load.finish();
        assertNull(figures.problem(), figures::toString);
        assertEquals(0, figures.lost() + figures.resets(), figures::toString);
        assertNull(echo.problem());
        return figures;
    }

    /** Waits until both clients are answered again, and returns the longest time for which either was not. */
    private double awaitAnswers(RedisClientLoad load, long sinceNanos) throws InterruptedException {
        ThreeHosts.awaitAnswers(load);
        assertTrue(echo.awaitAnswerSince(System.nanoTime(), LIMIT), () -> "no answer: " + echo.problem());
        return Math.max(stallMillis(load.answers(), sinceNanos), stallMillis(echo.answers(), sinceNanos));
    }

    private static double stallMillis(AnswerTimes answers, long sinceNanos) {
        return answers.longestStallAfter(sinceNanos).orElseThrow().millis();
    }

    private static @Nullable Double millis(@Nullable Long micros) {
        return micros == null ? null : micros / 1e3;
    }

    /** What the hosts say of it now, for whoever has to find out. */
    String story() {
        return Stream.concat(
                        Stream.of(String.valueOf(echo.problem())),
                        hosts.hosts().stream().map(host -> host.name() + ": " + statusOn(host)))
                .reduce("", (text, line) -> text + "\n" + line);
    }

    private static String statusOn(DemoHost host) {
        try {
            return host.status().toString();
        } catch (RemusException e) {
            return String.valueOf(e.getMessage());
        }
    }

    /** Ends client and VM. */
    void end() throws Exception {
        close();
        campaign.stop(name());
    }

    /** Ends the client. */
    @Override
    public void close() throws IOException {
        echo.close();
    }
}
