package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import remus.api.Json;
import remus.api.MigrateRequest;
import remus.api.MigrationMode;
import remus.api.MigrationStage;
import remus.api.MigrationStatus;
import remus.api.WhenUnconverged;
import remus.base.HostAddress;

@Timeout(60)
class MigrateCommandTest {
    private static final MigrationStatus CONNECTING = FakeMigrations.status(MigrationStage.CONNECTING, List.of());
    private static final MigrationStatus PUSHING =
            FakeMigrations.status(MigrationStage.PUSHING, FakeMigrations.ROUNDS.subList(0, 2));
    private static final MigrationStatus HANDING_OVER =
            FakeMigrations.status(MigrationStage.HANDING_OVER, FakeMigrations.ROUNDS);

    @TempDir
    private Path directory;

    private FakeMigrations host;

    private record Result(int exitCode, String out, String err) {}

    @BeforeEach
    void serve() throws Exception {
        host = new FakeMigrations().tells(CONNECTING, PUSHING, HANDING_OVER, FakeMigrations.done());
    }

    @AfterEach
    void close() {
        host.close();
    }

    private static Terminal terminal(StringWriter out, StringWriter err, boolean errIsTerminal) {
        return new Terminal(new PrintWriter(out, true), new PrintWriter(err, true), false, errIsTerminal);
    }

    private static Result remus(boolean errIsTerminal, String... arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int exitCode = Remus.run(terminal(out, err, errIsTerminal), arguments);
        return new Result(exitCode, out.toString(), err.toString());
    }

    private Result ask(String... arguments) {
        return remus(
                false,
                Stream.concat(Stream.of("migrate", "shop", "--api", host.address()), Arrays.stream(arguments))
                        .toArray(String[]::new));
    }

    private static void assertFailure(Result result, int exitCode, String expected) {
        assertEquals(exitCode, result.exitCode(), result.toString());
        assertEquals("", result.out());
        assertEquals(1, result.err().lines().count(), result.err());
        assertTrue(result.err().contains(expected), result.err());
    }

    @Test
    void thePlanComesFirstThenHowFarItIsThenWhatItDid() {
        Result result = ask("--to", "192.0.2.7:7420");
        assertEquals(0, result.exitCode(), result.err());
        assertTrue(
                result.out()
                        .startsWith(
                                "Migration of VM shop from alpha to 192.0.2.7:7420, pre-copy\n  - Memory (256 MiB) is"),
                result.out());
        assertTrue(result.out().contains("\n    1     40321 "), result.out());
        assertTrue(result.out().endsWith("VM shop runs on 192.0.2.7:7420\n"), result.out());
        assertTrue(result.err().startsWith("connecting to 192.0.2.7:7420\n"), result.err());
        assertFalse(result.err().contains("\u001b"), result.err());
        assertEquals("POST /api/v1/vms/shop/migrate", host.asked().getFirst());
    }

    @Test
    void aTerminalShowsABarThatIsGoneAtTheEnd() {
        Result result = remus(true, "migrate", "shop", "--api", host.address(), "--to", "beta");
        assertTrue(
                result.err().contains("[####################] round 2: 100 % of 3210 pages, 353 MiB/s"), result.err());
        assertTrue(result.err().endsWith("\r\u001b[2K"), result.err());
    }

    @Test
    void onlyWhatWasSaidIsSent() {
        ask("--to", "beta");
        assertEquals(
                new MigrateRequest(
                        "beta", null, null, null, null, null, null, null, null, null, null, null, null, null),
                host.request());
    }

    @Test
    void everyOptionIsSent() {
        Result result =
                ask(("--to [2001:db8::7]:7420 --mode pre-copy --max-downtime 30ms --max-rounds 12 --settled-rounds 3 "
                                + "--settled-tolerance 5% --until-clean --max-data 4GiB --auto-converge --min-rate 50MiB "
                                + "--max-rate 1GiB --rate-step 10MiB --shared-disks --verify")
                        .split(" ", -1));
        assertEquals(0, result.exitCode(), result.err());
        assertEquals(
                new MigrateRequest(
                        "[2001:db8::7]:7420",
                        MigrationMode.PRE_COPY,
                        "30ms",
                        12,
                        3,
                        5,
                        true,
                        (4L << 30) + "B",
                        WhenUnconverged.AUTO_CONVERGE,
                        (50L << 20) + "B",
                        (1L << 30) + "B",
                        (10L << 20) + "B",
                        true,
                        true),
                host.request());
        ask("--to", "beta", "--abort", "--no-until-clean");
        assertEquals(
                WhenUnconverged.ABORT, Objects.requireNonNull(host.request()).whenUnconverged());
        assertEquals(false, Objects.requireNonNull(host.request()).untilClean());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            migrate --to beta                               | Missing required parameter: 'VM'
            migrate shop                                    | where to? Add --to ADDR:PORT, or --watch or --cancel
            migrate shop --until-clean=perhaps --to b       | 'perhaps' is not a boolean
            migrate shop --to 1.2.3.4:http                  | '1.2.3.4:http' is not an address: write HOST:PORT
            migrate shop --to 1.2.3.4:0                     | '1.2.3.4:0' names no port: write HOST:PORT
            migrate shop --to b --mode slow                 | 'slow' is neither pre-copy nor stop-the-world
            migrate shop --to b --max-downtime 30           | '30' is not a duration: write a whole number with a unit
            migrate shop --to b --max-rounds 0              | '0' is not a number of rounds: write 1 to 999999
            migrate shop --to b --max-rounds many           | 'many' is not a number of rounds: write 1 to 999999
            migrate shop --to b --settled-rounds 1          | '1' is not a number of rounds to compare: write 2 to
            migrate shop --to b --settled-tolerance 101     | '101' is not a percentage: write 0 to 100
            migrate shop --to b --settled-tolerance half    | 'half' is not a percentage: write 0 to 100
            migrate shop --to b --max-data 4GB              | '4GB' is not a size: write a whole number with a unit
            migrate shop --to b --min-rate 5                | '5' is not a size
            migrate shop --to b --max-rate fast             | 'fast' is not a size
            migrate shop --to b --rate-step much            | 'much' is not a size: write a whole number with a unit
            migrate shop --to b --rate-step 5MiB            | begin at --min-rate: add --min-rate SIZE
            migrate shop --to b --min-rate 2GiB --max-rate 1GiB       | --min-rate 2 GiB is more than --max-rate 1 GiB
            migrate shop --to b --auto-converge --abort               | leave one of them out
            migrate shop --to b --mode stop-the-world --max-rounds 3  | --max-rounds is about rounds
            migrate shop --to b --mode stop-the-world --abort         | --abort is about rounds
            migrate shop --watch --to b                     | --watch is about a migration that goes on: leave out --to
            migrate shop --watch --verify                   | leave out --verify
            migrate shop --cancel --max-rounds 4            | --cancel is about a migration that goes on: leave out --max-r
            migrate shop --cancel --watch                   | leave out --watch
            migrate shop --cancel --plot x.svg              | leave out --plot
            migrate shop --to b --shared-disk               | Unknown option: '--shared-disk'
            """)
    void wrongUsageIsOneLineThatNamesTheHelp(String arguments, String expected) {
        Result result = remus(false, arguments.split(" ", -1));
        assertFailure(result, 2, expected);
        assertTrue(result.err().contains("see 'remus migrate --help'"), result.err());
    }

    @Test
    void theDocumentIsAloneOnStdout() {
        Result result = ask("--to", "beta", "--json");
        assertEquals(FakeMigrations.done(), Json.read(result.out(), MigrationStatus.class));
        assertEquals(1, result.out().lines().count());
        assertTrue(result.err().contains("Memory (256 MiB) is copied in rounds"), result.err());
    }

    @Test
    void aMigrationThatFailedSaysWhyAndWhereTheVmRuns() {
        host.tells(PUSHING, FakeMigrations.failed());
        Result result = ask("--to", "beta");
        assertEquals(1, result.exitCode());
        assertTrue(result.out().contains("downtime      none"), result.out());
        assertEquals(
                "remus: VM 'shop' was not moved to 192.0.2.7:7420: the connection to 192.0.2.7:7420 broke: reset by peer; "
                        + "see 'remus status shop' on alpha, where it was",
                result.err().lines().toList().getLast());
        host.tells(FakeMigrations.failed());
        Result json = ask("--to", "beta", "--json");
        assertEquals(1, json.exitCode());
        assertEquals(FakeMigrations.failed(), Json.read(json.out(), MigrationStatus.class));
    }

    @Test
    void watchPicksTheMigrationUpAgainAndShowsTheLastOne() {
        assertTrue(ask("--watch").out().endsWith("VM shop runs on 192.0.2.7:7420\n"));
        assertFalse(
                host.asked().stream().anyMatch(asked -> asked.startsWith("POST")),
                host.asked().toString());
        assertEquals(FakeMigrations.done(), Json.read(ask("--watch", "--json").out(), MigrationStatus.class));
    }

    @Test
    void cancelWaitsUntilTheVmRunsOnWhereItWas() {
        host.tells(PUSHING, FakeMigrations.failed());
        Result result = ask("--cancel");
        assertEquals(0, result.exitCode(), result.err());
        assertEquals(
                "VM shop runs on here, on alpha: the connection to 192.0.2.7:7420 broke: reset by peer\n",
                result.out());
        assertEquals("DELETE /api/v1/vms/shop/migration", host.asked().getFirst());
    }

    @Test
    void cancelThatComesTooLateFailsAndSaysWhereTheVmRuns() {
        host.tells(HANDING_OVER, FakeMigrations.done());
        Result result = ask("--cancel");
        assertEquals(1, result.exitCode());
        assertTrue(result.err().contains("too late to cancel the migration of VM 'shop': it runs on 192.0.2.7:7420;"));
    }

    @Test
    void aRefusalOfTheHostIsPassedOn() {
        assertFailure(
                remus(false, "migrate", "nobody", "--to", "beta", "--api", host.address()),
                1,
                "there is no VM 'nobody' on host alpha; see 'remus status'");
    }

    @Test
    void theRoundsAreDrawnAlsoWhenItFailed() throws Exception {
        Path plot = directory.resolve("shop.svg");
        assertEquals(0, ask("--to", "beta", "--plot", plot.toString()).exitCode());
        assertEquals(MigrationPlot.of(FakeMigrations.done()), Files.readString(plot));
        host.tells(FakeMigrations.failed());
        assertEquals(1, ask("--watch", "--plot", plot.toString()).exitCode());
        assertEquals(MigrationPlot.of(FakeMigrations.failed()), Files.readString(plot));
    }

    @Test
    void aPlotThatCannotBeWrittenIsRefusedBeforeAnythingIsMoved() {
        assertFailure(ask("--to", "b", "--plot", directory.toString()), 1, "is a directory; name a file in it");
        assertFailure(
                ask("--to", "b", "--plot", directory + "/none/x.svg"),
                1,
                "is in no directory that exists; make it first");
        assertEquals(List.of(), host.asked());
    }

    @Test
    void losingTheDaemonSaysThatItMayGoOnAndHowToLook() throws Exception {
        host.tells(PUSHING);
        CompletableFuture<Result> watching = CompletableFuture.supplyAsync(() -> ask("--to", "beta"));
        awaitAsked(3);
        host.close();
        Result result = watching.get(30, TimeUnit.SECONDS);
        assertEquals(1, result.exitCode());
        String line = result.err().lines().toList().getLast();
        assertTrue(line.startsWith("remus: the migration of VM 'shop' can't be seen any more, and may go on: "), line);
        assertTrue(line.contains("'remus migrate shop --watch --api " + host.address() + "' shows it"), line);
        assertTrue(line.contains("'remus status shop' on both hosts"), line);
    }

    private void awaitAsked(int times) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (host.asked().size() < times) {
            assertTrue(System.nanoTime() < deadline, "the host was not asked: " + host.asked());
            TimeUnit.MILLISECONDS.sleep(5);
        }
    }

    private MigrationWait wait(StringWriter err, Duration standstill) {
        ApiClient client = new ApiClient(HostAddress.parse(host.address(), 0), Duration.ofSeconds(5));
        return new MigrationWait(client, terminal(new StringWriter(), err, true), "shop", "", standstill);
    }

    @Test
    void whoInterruptsIsToldThatItGoesOnAndNothingElseFollows() throws Exception {
        StringWriter err = new StringWriter();
        MigrationWait wait = wait(err, Duration.ofMinutes(1));
        wait.tellInterrupted();
        assertEquals(
                "remus: the migration of VM 'shop' goes on; 'remus migrate shop --watch' shows it, 'remus migrate shop "
                        + "--cancel' ends it\n",
                err.toString());
        int length = err.toString().length();
        assertEquals(FakeMigrations.done(), wait.untilEnd(CONNECTING));
        assertEquals(length, err.toString().length(), err.toString());
    }

    @Test
    void aMigrationThatStandsStillIsNotWatchedForEver() {
        host.tells(PUSHING);
        MigrationWait wait = wait(new StringWriter(), Duration.ofMillis(400));
        CommandException e = assertThrows(CommandException.class, () -> wait.untilEnd(PUSHING));
        assertTrue(
                String.valueOf(e.getMessage()).contains("has stood still for 0 s (round 2: 100 % of 3210 pages"),
                e.getMessage());
    }
}
