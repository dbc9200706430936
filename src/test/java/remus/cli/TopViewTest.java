package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.jline.utils.AttributedString;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import remus.api.ArbiterView;
import remus.api.CheckpointStatus;
import remus.api.DiskStatus;
import remus.api.Event;
import remus.api.EventType;
import remus.api.HostMemory;
import remus.api.HostStatus;
import remus.api.OutputStatus;
import remus.api.Percentiles;
import remus.api.StandbyMode;
import remus.api.VmRole;
import remus.api.VmState;
import remus.api.VmStatus;

/** The live view is a function of two statuses, the events and the size, and fits whatever size there is. */
class TopViewTest {
    private static final Instant NOON = Instant.parse("2027-01-15T12:00:00Z");
    private static final TopView.Mode LIVE = new TopView.Mode.Live();
    private static final ArbiterView ARBITER =
            new ArbiterView("zookeeper:192.0.2.11:2181,192.0.2.12:2181,192.0.2.13:2181", true, null);
    private static final HostMemory MEMORY = new HostMemory(16L << 30, 5L << 30, 768L << 20, 256L << 20, 112L << 20);

    // ---- what is shown

    private static VmStatus shop(long epoch) {
        return new VmStatus(
                "shop",
                VmRole.PRIMARY,
                VmState.PROTECTED,
                null,
                5,
                epoch,
                epoch - 1,
                "192.0.2.7:7420",
                25,
                4711L,
                "rm0",
                new CheckpointStatus(
                        epoch,
                        new Percentiles(3_100, 5_900, 21_000),
                        new Percentiles(180, 910, 12_000),
                        new Percentiles(4_200, 9_100, 88_000),
                        38_123_456,
                        0),
                new OutputStatus(7, 4_096, 123_456, 2),
                List.of(new DiskStatus("root", 1_300_000, 100), new DiskStatus("data", 300_000, 100)),
                1_234,
                StandbyMode.WARM);
    }

    private static VmStatus of(String name, VmRole role, VmState state, @Nullable String reason) {
        return new VmStatus(
                name,
                role,
                state,
                reason,
                1,
                0,
                0,
                null,
                0,
                null,
                null,
                CheckpointStatus.NONE,
                OutputStatus.NONE,
                List.of(),
                0,
                null);
    }

    private static VmStatus mail() {
        return new VmStatus(
                "mail",
                VmRole.BACKUP,
                VmState.SYNCHRONIZING,
                "receiving memory",
                2,
                0,
                0,
                "192.0.2.8:7420",
                100,
                4712L,
                null,
                CheckpointStatus.NONE,
                OutputStatus.NONE,
                List.of(new DiskStatus("root", 0, null)),
                0,
                StandbyMode.WARM);
    }

    private static VmStatus lost() {
        return of(
                "a-name-as-long-as-names-may-be-on-a-host",
                VmRole.PRIMARY,
                VmState.DEGRADED,
                "output is held: the backup has not acknowledged epoch 4711 within 1200 ms, and no other host answers");
    }

    private static HostStatus host(VmStatus... vms) {
        return new HostStatus("alpha", List.of(vms), ARBITER, MEMORY, null);
    }

    private static TopState.Poll at(long millis, HostStatus status) {
        return new TopState.Poll(status, millis * 1_000_000, NOON.plusMillis(millis));
    }

    private static Event event(int second, EventType type, @Nullable String reason) {
        return new Event(NOON.plusSeconds(second - 60), "shop", type, reason, 5, 42);
    }

    private static TopState state(HostStatus before, HostStatus now, Event... events) {
        return TopState.unknown("127.0.0.1:7421")
                .answered(at(0, before))
                .answered(at(1_000, now))
                .with(List.of(events));
    }

    private static TopState usual() {
        return state(
                host(shop(41_000), mail(), lost()),
                host(shop(41_039), mail(), lost()),
                event(1, EventType.STARTED, "runs, unprotected"),
                event(2, EventType.PROTECTING, "to 192.0.2.7:7420, every 25 ms"),
                event(5, EventType.PROTECTED, "by beta: output waits for commits from now on"));
    }

    private static List<String> lines(TopState state, int columns, int rows, TopView.Mode mode) {
        List<AttributedString> lines =
                new TopView(new TopView.Size(columns, rows), ZoneOffset.UTC, "1s").lines(state, mode);
        lines.forEach(line -> assertTrue(line.columnLength() <= columns, line + " is too wide for " + columns));
        assertTrue(lines.size() <= rows, lines.size() + " lines in " + rows + " rows");
        return lines.stream().map(line -> line.toString().stripTrailing()).toList();
    }

    private static void expect(String golden, List<String> lines) {
        assertEquals(golden, String.join("\n", lines) + "\n");
    }

    // ---- golden views

    @Test
    void twentyFourRowsOfEightyColumnsShowEverything() {
        expect("""
                Host alpha   3 VMs   memory 5.0G free of 16G, guests 768M   arbiter zookeeper:1~

                NAME              ROLE    STATE         TERM  EP/S  PAUSE ms  DIRTY COMMIT  HELD
                shop              primary PROTECTED        5  39.0   3.1/5.9    180    4.2  4.0K
                  backup 192.0.2.7:7420   disk 1.5M   clock 1.2s behind
                mail              backup  SYNCHRONIZING    2   0.0         -      -      -     -
                  primary 192.0.2.8:7420   disk 0B
                  receiving memory
                a-name-as-long-a~ primary DEGRADED         1     -         -      -      -    0B
                  output is held: the backup has not acknowledged epoch 4711 within 1200 ms, and
                  no other host answers

                LAST EVENTS
                11:59:01 shop         STARTED        runs, unprotected
                11:59:02 shop         PROTECTING     to 192.0.2.7:7420, every 25 ms
                11:59:05 shop         PROTECTED      by beta: output waits for commits from now~







                q quit   p stand still   ? help   every 1s   12:00:01
                """, lines(usual(), 80, 24, LIVE));
    }

    @Test
    void thirtyRowsOfAHundredAndTwentyColumnsNeedNoSecondLines() {
        expect("""
                Host alpha   3 VMs   memory 5.0G free of 16G, guests 768M   arbiter zookeeper:192.0.2.11:2181,192.0.2.12:2181,192.0.2.1~

                NAME                    ROLE    STATE         TERM  EP/S  PAUSE ms  DIRTY COMMIT  HELD  DISK CLOCK PEER
                shop                    primary PROTECTED        5  39.0   3.1/5.9    180    4.2  4.0K  1.5M  1.2s 192.0.2.7:7420
                mail                    backup  SYNCHRONIZING    2   0.0         -      -      -     -    0B     - 192.0.2.8:7420
                  receiving memory
                a-name-as-long-as-name~ primary DEGRADED         1     -         -      -      -    0B     -  0.0s -
                  output is held: the backup has not acknowledged epoch 4711 within 1200 ms, and no other host answers

                LAST EVENTS
                11:59:01 shop         STARTED        runs, unprotected
                11:59:02 shop         PROTECTING     to 192.0.2.7:7420, every 25 ms
                11:59:05 shop         PROTECTED      by beta: output waits for commits from now on
















                q quit   p stand still   ? help   every 1s   12:00:01
                """, lines(usual(), 120, 30, LIVE));
    }

    @Test
    void aSmallScreenShowsTheVmsFirst() {
        expect("""
                Host alpha   3 VMs   memory 5.0G free of 16G, guests 768M  ~

                NAME            ROLE    STATE          PAUSE ms COMMIT  HELD
                shop            primary PROTECTED       3.1/5.9    4.2  4.0K
                mail            backup  SYNCHRONIZING         -      -     -
                a-name-as-long~ primary DEGRADED              -      -    0B

                q quit   p stand still   ? help   every 1s   12:00:01
                """, lines(usual(), 60, 8, LIVE));
    }

    @Test
    void whatHasNoRoomIsCounted() {
        VmStatus[] vms = IntStream.range(0, 20)
                .mapToObj(number -> of("vm-" + number, VmRole.PRIMARY, VmState.UNPROTECTED, null))
                .toArray(VmStatus[]::new);
        expect("""
                Host alpha   20 VMs   memory 5.0G free ~

                NAME           ROLE    STATE
                vm-0           primary UNPROTECTED
                vm-1           primary UNPROTECTED
                vm-2           primary UNPROTECTED
                vm-3           primary UNPROTECTED
                vm-4           primary UNPROTECTED
                and 15 more: they need a taller window
                q quit   p stand still   ? help   every~
                """, lines(state(host(vms), host(vms)), 40, 10, LIVE));
    }

    @Test
    void thePlainViewHasAllRowsAndNoKeys() {
        List<String> plain = TopView.plain(usual(), 80, ZoneOffset.UTC, "1s").stream()
                .map(line -> line.toString().stripTrailing())
                .toList();
        expect("""
                Host alpha   3 VMs   memory 5.0G free of 16G, guests 768M   arbiter zookeeper:1~

                NAME              ROLE    STATE         TERM  EP/S  PAUSE ms  DIRTY COMMIT  HELD
                shop              primary PROTECTED        5  39.0   3.1/5.9    180    4.2  4.0K
                  backup 192.0.2.7:7420   disk 1.5M   clock 1.2s behind
                mail              backup  SYNCHRONIZING    2   0.0         -      -      -     -
                  primary 192.0.2.8:7420   disk 0B
                  receiving memory
                a-name-as-long-a~ primary DEGRADED         1     -         -      -      -    0B
                  output is held: the backup has not acknowledged epoch 4711 within 1200 ms, and
                  no other host answers

                LAST EVENTS
                11:59:01 shop         STARTED        runs, unprotected
                11:59:02 shop         PROTECTING     to 192.0.2.7:7420, every 25 ms
                11:59:05 shop         PROTECTED      by beta: output waits for commits from now~
                """, plain);
    }

    @Test
    void aHostThatDoesNotAnswerIsNamedWithWhatToDo() {
        TopState never = TopState.unknown("127.0.0.1:7421")
                .unanswered("no host daemon answers at 127.0.0.1:7421: start one with 'remus host', or name another"
                        + " with --api ADDR:PORT");
        expect("""
                Host at 127.0.0.1:7421
                no host daemon answers at 127.0.0.1:7421: start one with 'remus host', or name
                another with --api ADDR:PORT
                asking again every 1s



                q quit   p stand still   ? help   every 1s
                """, lines(never, 80, 8, LIVE));
    }

    @Test
    void aHostThatAnswersNoMoreIsShownAsItWas() {
        TopState gone = usual().unanswered("the host daemon at 127.0.0.1:7421 does not answer");
        List<String> lines = lines(gone, 80, 24, LIVE);
        assertEquals("the host daemon at 127.0.0.1:7421 does not answer", lines.get(1));
        assertEquals("asking again every 1s; below is what it said at 12:00:01", lines.get(2));
        assertTrue(lines.get(5).startsWith("shop"), "" + lines);
        assertEquals(
                "Host alpha   3 VMs",
                lines(gone.answered(at(2_000, host(shop(41_039), mail(), lost()))), 80, 24, LIVE)
                        .getFirst()
                        .substring(0, 18));
    }

    @Test
    void theFirstViewSaysThatItAsks() {
        expect("""
                Host at 127.0.0.1:7421
                asking it ...


                q quit   p stand still   ? help   every 1s
                """, lines(TopState.unknown("127.0.0.1:7421"), 80, 5, LIVE));
    }

    @Test
    void aHostWithoutVmsSaysWhatToDo() {
        expect("""
                Host alpha   0 VMs   memory 5.0G free of 16G, guests 768M   arbiter zookeeper:1~

                no VMs here; boot one with 'remus start VM.yaml'


                q quit   p stand still   ? help   every 1s   12:00:01
                """, lines(state(host(), host()), 80, 6, LIVE));
    }

    @Test
    void theHelpExplainsEveryColumn() {
        List<String> help = lines(usual(), 80, 24, new TopView.Mode.Help(LIVE));
        for (String column : List.of("TERM", "EP/S", "PAUSE", "DIRTY", "COMMIT", "HELD", "DISK", "CLOCK", "PEER")) {
            assertTrue(help.stream().anyMatch(line -> line.startsWith(column + " ")), column + " in " + help);
        }
        assertEquals("any key: back", help.getLast());
    }

    @Test
    void whatStandsStillSaysSinceWhen() {
        assertEquals(
                "stands still since 12:00:00; p goes on, q quits",
                lines(usual(), 80, 24, new TopView.Mode.Paused(NOON)).getLast());
    }

    @Test
    void anArbiterThatCantBeAskedIsSeenWhateverItsName() {
        HostStatus host = new HostStatus(
                "alpha", List.of(shop(41_000)), new ArbiterView(ARBITER.name(), false, "connection lost"), null, null);
        assertEquals(
                "Host alpha   1 VM   arbiter CAN'T BE ASKED zookeeper:192.0.2.11:2181,192.0.2.12~",
                lines(state(host, host), 80, 24, LIVE).getFirst());
    }

    // ---- rates

    private static String epochsPerSecond(VmStatus before, VmStatus now) {
        return lines(state(host(before), host(now)), 80, 24, LIVE)
                .get(3)
                .substring(42, 48)
                .strip();
    }

    @Test
    void epochsPerSecondAreTheDifferenceOfTwoPollsOverTheTimeBetween() {
        assertEquals("39.0", epochsPerSecond(shop(41_000), shop(41_039)));
        assertEquals("0.0", epochsPerSecond(shop(41_000), shop(41_000)));
        assertEquals("5000", epochsPerSecond(shop(41_000), shop(46_000)));
    }

    @Test
    void thereIsNoRateAcrossSessionsRolesOrRestarts() {
        assertEquals("-", epochsPerSecond(mail(), shop(41_000)));
        assertEquals("-", epochsPerSecond(shop(41_000), shop(12)));
        TopState first = TopState.unknown("a").answered(at(0, host(shop(41_000))));
        assertEquals("-", lines(first, 80, 24, LIVE).get(3).substring(42, 48).strip());
    }

    // ---- odd values

    @Test
    void hugeNumbersKeepTheirColumns() {
        long huge = Long.MAX_VALUE;
        Percentiles all = new Percentiles(huge, huge, huge);
        VmStatus odd = new VmStatus(
                "odd",
                VmRole.PRIMARY,
                VmState.SYNCHRONIZING,
                null,
                huge,
                huge,
                huge,
                "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
                huge,
                huge,
                "rm0",
                new CheckpointStatus(huge, all, all, all, huge, 0),
                new OutputStatus(huge, huge, huge, huge),
                List.of(new DiskStatus("a", huge, 100), new DiskStatus("b", huge, null)),
                huge,
                null);
        List<String> wide = lines(state(host(shop(0)), host(odd)), 120, 30, LIVE);
        assertEquals(wide.get(2).indexOf("PEER"), wide.get(3).indexOf("[2001"), "" + wide);
        assertEquals(
                "odd            primary SYNCHRONIZING   9E     - 999d/999d  9223P   999d  8.0E  8.0E  999d"
                        + " [2001:db8:ffff:ffff:~",
                wide.get(3));
    }

    @Test
    void controlCharactersNeverReachTheTerminal() {
        VmStatus hostile = of("shop", VmRole.PRIMARY, VmState.STOPPED, "\u001b[2J\u009b31mgone\r\n\u202eback");
        List<String> lines = lines(
                state(host(hostile), host(hostile), event(1, EventType.FAILED, "\u0007\u001b]0;x")), 80, 24, LIVE);
        assertTrue(lines.stream().allMatch(line -> line.chars().noneMatch(Character::isISOControl)), "" + lines);
        assertTrue(lines.contains("  ?[2J?31mgone???back"), "" + lines);
    }

    @Test
    void wideCharactersCountAsWhatTheyTake() {
        VmStatus wide = of("shop", VmRole.PRIMARY, VmState.STOPPED, "日本語".repeat(30));
        assertTrue(lines(state(host(wide), host(wide)), 41, 24, LIVE).get(4).endsWith(TopView.CUT));
    }

    @ParameterizedTest
    @CsvSource({"0, 0", "1, 1", "3, 2", "10, 3", "20, 5", "33, 7", "79, 23", "81, 25", "119, 4", "250, 80"})
    void everySizeIsKept(int columns, int rows) {
        for (TopView.Mode mode : List.of(LIVE, new TopView.Mode.Help(LIVE), new TopView.Mode.Paused(NOON))) {
            assertEquals(rows, lines(usual(), columns, rows, mode).size());
            assertEquals(
                    rows,
                    lines(usual().unanswered("no answer ".repeat(9)), columns, rows, mode)
                            .size());
        }
    }

    @Test
    void numbersStayWithinTheirColumns() {
        List<Long> values = new ArrayList<>(List.of(0L, Long.MAX_VALUE));
        for (long value = 1; value > 0 && value < Long.MAX_VALUE / 1_000; value *= 10) {
            values.addAll(
                    List.of(value - 1, value, value * 5 - 1, value * 9 + value / 2, value * 9 + value * 99 / 100));
        }
        for (long value : values) {
            assertTrue(TopNumbers.count(value, 4).length() <= 4, TopNumbers.count(value, 4));
            assertTrue(TopNumbers.bytes(value).length() <= 5, TopNumbers.bytes(value));
            assertTrue(TopNumbers.millis(value).length() <= 4, TopNumbers.millis(value));
            assertTrue(TopNumbers.time(value).length() <= 4, TopNumbers.time(value));
            assertTrue(TopNumbers.perSecond((double) value).length() <= 5, TopNumbers.perSecond((double) value));
        }
        assertEquals("1023K", TopNumbers.bytes(1023 << 10));
        assertEquals("1.0M", TopNumbers.bytes(1 << 20));
        assertEquals("12s", TopNumbers.millis(12_000_000));
    }

    @Test
    void statesAreToldApartByColour() {
        TopTable table = new TopTable(at(0, host(shop(1), lost())), null, 80);
        assertTrue(table.row(shop(1)).toAnsi().contains("\u001b[32m"), "green");
        assertTrue(table.row(lost()).toAnsi().contains("31"), "red");
        assertFalse(table.row(shop(1)).toString().contains("\u001b"));
    }
}
