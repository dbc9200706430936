package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import remus.api.CompressMode;
import remus.api.DrainStage;
import remus.api.DrainStep;
import remus.api.Draining;
import remus.api.Event;
import remus.api.EventType;
import remus.api.FailoverRequest;
import remus.api.HostStatus;
import remus.api.Json;
import remus.api.ProtectRequest;
import remus.api.StandbyMode;
import remus.api.StartRequest;
import remus.api.VmRole;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.api.WhenAlone;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.host.EventLog;
import remus.host.FakeHost;
import remus.host.HttpApi;
import remus.host.SettableTime;

@Timeout(60)
class RemusTest {
    private static final List<String> COMMANDS = List.of(
            "host",
            "start",
            "protect",
            "unprotect",
            "status",
            "events",
            "top",
            "failover",
            "switchover",
            "migrate",
            "drain",
            "pause",
            "resume",
            "stop",
            "doctor",
            "demo",
            "bench");

    private static final List<String> BENCHES = List.of("bench pause", "bench disk", "bench migration", "bench wws");

    @TempDir
    private Path directory;

    private final FakeHost host = new FakeHost();
    private EventLog events;
    private HttpApi api;

    private record Result(int exitCode, String out, String err) {
        List<String> lines() {
            return out.lines().toList();
        }
    }

    @BeforeEach
    void serve() throws Exception {
        events = new EventLog(directory, new SettableTime());
        api = HttpApi.start(new HostAddress("127.0.0.1", 0), host, events);
        host.vms.put("shop", FakeHost.vm("shop", VmState.UNPROTECTED));
    }

    @AfterEach
    void close() {
        api.close();
        events.close();
    }

    private static Result remus(String... arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int exitCode = Remus.run(terminal(out, err), arguments);
        return new Result(exitCode, out.toString(), err.toString());
    }

    private static Terminal terminal(StringWriter out, StringWriter err) {
        return new Terminal(new PrintWriter(out, true), new PrintWriter(err, true), false, false);
    }

    private Result ask(String... arguments) {
        return remus(Stream.concat(Arrays.stream(arguments), Stream.of("--api", "127.0.0.1:" + api.port()))
                .toArray(String[]::new));
    }

    private static void assertFailure(Result result, int exitCode, String expected) {
        assertEquals(exitCode, result.exitCode(), result.toString());
        assertEquals("", result.out());
        assertEquals(1, result.err().lines().count(), result.err());
        assertTrue(result.err().contains(expected), result.err());
    }

    @TestFactory
    Stream<DynamicTest> everyCommandExplainsItselfWithAnExampleIn80Columns() {
        return Stream.concat(COMMANDS.stream(), BENCHES.stream())
                .map(command -> DynamicTest.dynamicTest(command, () -> {
                    Result help = remus((command + " --help").split(" ", -1));
                    assertEquals(0, help.exitCode());
                    assertEquals("", help.err());
                    assertTrue(help.out().contains("Example:") && help.out().contains("remus " + command), help.out());
                    assertTrue(help.lines().stream().allMatch(line -> line.length() <= 80), help.out());
                }));
    }

    @Test
    void exactlyTheCommandsThatExistAreOffered() {
        assertEquals(
                COMMANDS,
                List.copyOf(Remus.commandLine(terminal(new StringWriter(), new StringWriter()))
                        .getSubcommands()
                        .keySet()));
        String help = remus("--help").out();
        COMMANDS.forEach(command -> assertTrue(help.contains("\n  " + command + " "), help));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            ``                                       | Missing required subcommand
            dance                                    | what is 'dance'?
            statsu                                   | Did you mean status
            status --jsno                            | Unknown option: '--jsno'
            status a b                               | what is 'b'?
            doctor --peer 1.2.3.4:http               | '1.2.3.4:http' is not an address
            doctor --arbiter zk                      | 'zk' is not an arbiter
            doctor --arbiter-credential x            | is for --arbiter zookeeper:... only
            protect                                  | Missing required parameter: 'VM'
            protect shop --interval 25               | '25' is not a duration
            protect shop --detect soon               | 'soon' is not a duration
            protect shop --verify often              | 'often' is not a number of checkpoints
            protect shop --when-alone panic          | 'panic' is neither hold nor continue
            top --interval 1ms                       | a host is asked every 100ms to 60s
            top --interval often                     | 'often' is not a duration
            demo --guest mysql                       | 'mysql' is none of redis and postgres
            demo --scenario few                      | 'few' is none of failover, partition, many and chain
            demo --scenario many --guest postgres    | --scenario many has guests with Redis
            demo --scenario chain --keep             | leave out --guest and --keep
            demo --scenario chain --kill gently      | 'gently' is none of mixed, process and power
            demo --scenario partition --keep         | leave out --kill, --guest and --keep
            demo --rounds 0                          | '0' is not a number of rounds
            bench migration --workload redis         | 'redis' is no workload: use idle or dirty-N
            bench migration --workload dirty-99999   | can't write 99999 pages
            bench migration --system xen             | 'xen' is neither qemu nor remus
            bench migration --rounds 0               | rounds=0 is not a number
            bench migration --max-downtime 30        | '30' is not a duration
            bench wws --interval 1s                  | is not from 5 to 100 ms
            bench wws --seconds 0                    | seconds=0 is not a number
            stop                                     | Missing required parameter: 'VM'
            start                                    | Missing required parameter: 'VM.yaml'
            status --api 1.2.3.4:http                | '1.2.3.4:http' is not an address
            host                                     | add --name NAME
            host --name alpha                        | add --state DIR
            host --name Alpha --state x              | 'Alpha' is not a name
            host --name alpha --state x --arbiter zk | 'zk' is not an arbiter
            host --name a --state x --listen :7      | ':7' is not an address
            host --name a --state x --peers beta     | beta
            host --name a --state x --peers B=b:1    | 'B' is not a name
            """)
    void wrongUsageIsOneLineThatNamesTheHelp(String arguments, String expected) {
        Result result = remus(arguments.isEmpty() ? new String[0] : arguments.split(" ", -1));
        assertFailure(result, 2, expected);
        assertTrue(result.err().contains("--help'"), result.err());
    }

    @Test
    void withoutADaemonItSaysHowToStartOne() throws Exception {
        int port = freePort();
        for (String command : new String[] {"status", "events", "stop shop", "protect shop", "failover shop"}) {
            String[] arguments = (command + " --api 127.0.0.1:" + port).split(" ", -1);
            assertFailure(
                    remus(arguments), 1, "no host daemon answers at 127.0.0.1:%d: start one with".formatted(port));
        }
    }

    @Test
    void anotherProgramsServerIsNotTakenForADaemon() throws Exception {
        for (String answer : new String[] {
            "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\noops",
            "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\n{}",
            "SSH-2.0-OpenSSH_9.2\r\n"
        }) {
            try (ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
                CompletableFuture<Void> served = CompletableFuture.runAsync(() -> serveOnce(server, answer));
                Result result = remus("status", "--api", "127.0.0.1:" + server.getLocalPort());
                assertFailure(result, 1, "127.0.0.1:" + server.getLocalPort());
                served.get(10, TimeUnit.SECONDS);
            }
        }
    }

    private static void serveOnce(ServerSocket server, String answer) {
        // A client may try a broken answer again: both get the same.
        for (int attempt = 0; attempt < 2; attempt++) {
            try (var socket = server.accept()) {
                socket.setSoTimeout(5_000);
                int read = socket.getInputStream().read(new byte[4_096]);
                assertTrue(read > 0);
                socket.getOutputStream().write(answer.getBytes(StandardCharsets.US_ASCII));
                server.setSoTimeout(300);
            } catch (java.net.SocketTimeoutException e) {
                return;
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        }
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    @Test
    void startSendsTheDefinitionAndWhereItLies() throws Exception {
        Path file = directory.resolve("shop.yaml");
        Files.writeString(file, "name: shop\n");
        Result result = ask("start", file.toString());
        assertEquals(new Result(0, "VM shop runs, unprotected\n", ""), result);
        assertEquals(new StartRequest("name: shop\n", directory.toString(), null), host.asked.getFirst());
    }

    @Test
    void startRefusesWhatIsNoDefinition() throws Exception {
        assertFailure(ask("start", directory.resolve("none.yaml").toString()), 1, "there is no file");
        assertFailure(ask("start", directory.toString()), 1, "can't be read");
        Path image = directory.resolve("disk.raw");
        Files.write(image, new byte[StartRequest.MAX_DEFINITION_CHARS + 1]);
        assertFailure(ask("start", image.toString()), 1, "is it the right file?");
        Files.write(image, new byte[] {(byte) 0xff, (byte) 0xfe, 0x41});
        assertFailure(ask("start", image.toString()), 1, "is not UTF-8 text");
        assertTrue(host.asked.isEmpty());
    }

    @Test
    void refusalsOfTheHostArePassedOn() throws Exception {
        assertFailure(ask("stop", "nobody"), 1, "there is no VM 'nobody' on host alpha; see 'remus status'");
        assertFailure(ask("status", "nobody"), 1, "there is no VM 'nobody'");
        assertFailure(ask("status", "no/bo?dy%"), 1, "no/bo?dy%");
        Path file = directory.resolve("shop.yaml");
        Files.writeString(file, "broken\n");
        assertFailure(ask("start", file.toString()), 1, "memory: '256' is not a size");
        assertFailure(ask("failover", "shop"), 1, "runs here already; ask its backup");
    }

    @Test
    void protectSendsOnlyWhatWasSaid() {
        assertEquals(0, ask("protect", "shop", "--no-wait").exitCode());
        assertEquals(
                new ProtectRequest(null, null, null, null, null, null, null, null, null, null), host.asked.getLast());
        Result result = ask(
                "protect",
                "shop",
                "--no-wait",
                "--backup",
                "192.0.2.7:7420",
                "--interval",
                "50ms",
                "--detect",
                "1s",
                "--no-output-commit",
                "--verify",
                "10",
                "--when-alone",
                "continue",
                "--standby",
                "cold",
                "--compress",
                "always");
        assertEquals("VM shop is being synchronized with 192.0.2.7:7420\n", result.out());
        assertEquals(
                new ProtectRequest(
                        "192.0.2.7:7420",
                        "50ms",
                        null,
                        "1s",
                        false,
                        10L,
                        WhenAlone.CONTINUE,
                        null,
                        StandbyMode.COLD,
                        CompressMode.ALWAYS),
                host.asked.getLast());
    }

    @Test
    void protectWaitsAndShowsProgressOnStderr() throws Exception {
        CompletableFuture<Result> waiting =
                CompletableFuture.supplyAsync(() -> ask("protect", "shop", "--backup", "192.0.2.7:7420"));
        awaitAsked();
        host.vms.put("shop", FakeHost.vm("shop", VmState.SYNCHRONIZING, "copying memory: 43 % of 256 MiB, 85 MiB/s"));
        assertFalse(waiting.isDone());
        TimeUnit.MILLISECONDS.sleep(400);
        host.vms.put("shop", FakeHost.vm("shop", VmState.PROTECTED));
        Result result = waiting.get(20, TimeUnit.SECONDS);
        assertEquals("VM shop is protected with 192.0.2.7:7420, every 25 ms\n", result.out());
        assertEquals(0, result.exitCode());
        assertTrue(result.err().contains("shop: synchronizing"), result.err());
    }

    private void awaitAsked() throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (host.status().vms().getFirst().state() != VmState.SYNCHRONIZING) {
            assertTrue(System.nanoTime() < deadline, "protect did not reach the host");
            TimeUnit.MILLISECONDS.sleep(5);
        }
    }

    @Test
    void protectFailsWhenProtectionDoes() throws Exception {
        CompletableFuture<Result> waiting = CompletableFuture.supplyAsync(() -> ask("protect", "shop"));
        awaitAsked();
        host.vms.put("shop", FakeHost.vm("shop", VmState.UNPROTECTED, "backup refused: too little memory"));
        Result result = waiting.get(20, TimeUnit.SECONDS);
        assertEquals(1, result.exitCode());
        assertTrue(result.err().contains("it is UNPROTECTED: backup refused: too little memory"), result.err());
    }

    @Test
    void protectWaitsOnWhileItsHostGoesOnToTheNextBackup() throws Exception {
        CompletableFuture<Result> waiting = CompletableFuture.supplyAsync(() -> ask("protect", "shop"));
        awaitAsked();
        host.vms.put(
                "shop",
                FakeHost.vm(
                        "shop", VmState.UNPROTECTED, VmStatus.withMoreToFollow("backup refused: too little memory")));
        TimeUnit.MILLISECONDS.sleep(400);
        host.vms.put("shop", FakeHost.vm("shop", VmState.PROTECTED));
        assertEquals(0, waiting.get(20, TimeUnit.SECONDS).exitCode());
    }

    @Test
    void protectIsDoneWhenADrainedHostHasGivenTheVmAwayMeanwhile() throws Exception {
        CompletableFuture<Result> waiting = CompletableFuture.supplyAsync(() -> ask("protect", "shop"));
        awaitAsked();
        host.draining = draining(new DrainStep("shop", VmRole.PRIMARY, DrainStage.LEFT, "runs on beta"));
        host.vms.put("shop", FakeHost.vm("shop", VmState.FENCED));
        Result result = waiting.get(20, TimeUnit.SECONDS);
        assertEquals(0, result.exitCode(), result.err());
        assertEquals(
                "VM shop was protected, and is given away by this host, which is being drained: runs on beta\n",
                result.out());
    }

    @Test
    void protectFailsWhenAnotherHostTakesTheVmOver() throws Exception {
        CompletableFuture<Result> waiting = CompletableFuture.supplyAsync(() -> ask("protect", "shop"));
        awaitAsked();
        host.vms.put("shop", FakeHost.vm("shop", VmState.FENCED, "beta has taken over"));
        Result result = waiting.get(20, TimeUnit.SECONDS);
        assertEquals(1, result.exitCode());
        assertTrue(result.err().contains("it is FENCED: beta has taken over"), result.err());
    }

    @Test
    void theOtherVerbsSayWhatBecameOfTheVm() {
        assertEquals("VM shop runs, unprotected\n", ask("unprotect", "shop").out());
        assertEquals("VM shop is stopped\n", ask("stop", "shop").out());
        host.vms.put("shop", FakeHost.vm("shop", VmState.STANDBY));
        assertEquals(
                "VM shop runs on 192.0.2.7:7420: switched over\n",
                ask("switchover", "shop").out());
        ask("failover", "shop", "--force");
        assertEquals(new FailoverRequest(true), host.asked.getLast());
    }

    private static Draining draining(DrainStep... steps) {
        return new Draining(true, List.of(steps));
    }

    @Test
    void aHostIsDrainedWhenNothingStays() {
        host.draining = draining(
                new DrainStep("mail", VmRole.BACKUP, DrainStage.GONE, "its primary has let it go"),
                new DrainStep("shop", VmRole.PRIMARY, DrainStage.GONE, "runs on beta"));
        Result done = ask("drain");
        assertEquals(0, done.exitCode());
        assertEquals("Host alpha runs no VM and is nobody's backup: 1 VM handed over, 1 let go\n", done.out());
        assertEquals("mail: GONE its primary has let it go\nshop: GONE runs on beta\n", done.err());
        assertTrue(ask("status").out().startsWith("Host alpha, is being drained\n"));
        assertEquals("Host alpha takes VMs again\n", ask("drain", "--undo").out());
        assertEquals(List.of("drain", "undo drain"), host.asked);
    }

    @Test
    void aDrainThatLeavesAVmFailsAndListsIt() {
        host.draining = draining(
                new DrainStep("shop", VmRole.PRIMARY, DrainStage.STAYS, "is UNPROTECTED: remus stop shop ends it"));
        Result left = ask("drain");
        assertEquals(1, left.exitCode());
        assertEquals("VM shop stays: is UNPROTECTED: remus stop shop ends it\n", left.out());
        assertTrue(left.err().contains("drain: host alpha is not empty, 1 VM stays;"), left.err());
        assertEquals(host.draining, Json.read(ask("drain", "--json").out(), Draining.class));
    }

    @Test
    void whoWaitsForADrainIsToldThatItWasUndone() {
        Result undone = ask("drain");
        assertEquals(1, undone.exitCode());
        assertTrue(undone.err().contains("told meanwhile to take VMs again"), undone.err());
    }

    @Test
    void statusJsonIsOneDocumentAndNothingElse() {
        Result all = ask("status", "--json");
        assertEquals(host.status(), Json.read(all.out(), HostStatus.class));
        assertEquals(1, all.lines().size());
        host.vms.put("mail", FakeHost.vm("mail", VmState.STANDBY));
        HostStatus one = Json.read(ask("status", "mail", "--json").out(), HostStatus.class);
        assertEquals(List.of(host.vms.get("mail")), one.vms());
        assertEquals("alpha", one.host());
    }

    @Test
    void statusIsATableWithin80Columns() {
        host.vms.clear();
        host.vms.put("shop", FakeHost.vm("shop", VmState.PROTECTED));
        String name = "a-name-that-is-as-long-as-names-may-be-x";
        host.vms.put(
                name,
                FakeHost.vm(
                        name,
                        VmState.SYNCHRONIZING,
                        "a long reason that goes on and on, so that it does not fit on a single line of the table"));
        host.vms.put("mail", FakeHost.vm("mail", VmState.STANDBY));
        assertEquals("""
                Host alpha
                NAME           ROLE    STATE         TERM    EPOCH  PAUSE ms  DIRTY  COMMIT HELD
                shop           primary PROTECTED        3    42000   3.1/5.9    180     4.2    7
                  backup 192.0.2.7:7420
                a-name-that-is-as-long-as-names-may-be-x
                               primary SYNCHRONIZING    3    42000   3.1/5.9    180     4.2    7
                  backup 192.0.2.7:7420
                  a long reason that goes on and on, so that it does not fit on a single line of
                  the table
                mail           backup  STANDBY          3    42000         -    180       -    7
                  primary 192.0.2.7:7420
                """, ask("status").out());
    }

    @Test
    void aHostWithoutVmsSaysWhatToDo() {
        host.vms.clear();
        assertEquals(
                "Host alpha has no VMs; boot one with 'remus start VM.yaml'.\n",
                ask("status").out());
    }

    @Test
    void statusOfOneVmShowsEverything() {
        host.vms.put("shop", FakeHost.vm("shop", VmState.PROTECTED));
        assertEquals("""
                VM shop on host alpha: PROTECTED (primary)
                  reason        -
                  peer          192.0.2.7:7420
                  term          3
                  epoch         42000, committed 41999
                  interval      25 ms
                  checkpoints   41999
                  pause         p50 3.1 ms, p99 5.9 ms, max 21 ms
                  commit        p50 4.2 ms, p99 9.1 ms, max 88 ms
                  dirty pages   p50 180, p99 910, max 12000
                  traffic       36.4 MiB/s for 400 MiB/s, 11.0 : 1
                  output        7 frames (4 KiB) held, 123456 released, 2 dropped
                  disk root     100 % synchronized, 0 B pending
                  standby       warm
                  QEMU          pid 4711
                  network       rm-tap0
                  guest clock   1.2 s behind, unless the guest corrects it
                """, ask("status", "shop").out());
    }

    @Test
    void topIsOnePlainViewWhereThereIsNoTerminal() {
        host.vms.put("shop", FakeHost.vm("shop", VmState.PROTECTED));
        publish(EventType.STARTED, 0);
        Result top = ask("top", "--interval", "100ms");
        assertEquals(0, top.exitCode(), top.err());
        assertEquals("", top.err());
        assertEquals(
                "Host alpha   1 VM   memory 5.0G free of 16G, guests 768M   arbiter none",
                top.lines().getFirst());
        assertEquals(
                "shop           primary PROTECTED        3   0.0   3.1/5.9    180    4.2  4.0K",
                top.lines().get(3));
        assertTrue(top.lines().getLast().matches("\\d\\d:\\d\\d:\\d\\d shop +STARTED"), top.out());
        assertFalse(top.out().contains("\u001b"), top.out());
    }

    @Test
    void topOnceOfAHostThatIsNotThereFails() {
        String address = "127.0.0.1:" + api.port();
        api.close();
        assertFailure(remus("top", "--once", "--api", address), 1, "no host daemon answers at " + address);
    }

    private Event publish(EventType type, long epoch) {
        return events.publish(
                "shop", type, type == EventType.ACTIVATED ? "primary silent" : null, new Term(2), new EpochId(epoch));
    }

    @Test
    void eventsAreALineEach() {
        publish(EventType.STARTED, 0);
        publish(EventType.ACTIVATED, 17);
        List<String> lines = ask("events").lines();
        assertEquals(2, lines.size());
        assertTrue(lines.get(0).matches("\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d\\.\\d{3}  shop +STARTED +.*"));
        assertTrue(lines.get(1).endsWith("ACTIVATED      primary silent (term 2, epoch 17)"), lines.get(1));
    }

    @Test
    void eventsJsonIsOneArray() {
        assertEquals("[]\n", ask("events", "--json").out());
        Event first = publish(EventType.STARTED, 0);
        Event second = publish(EventType.ACTIVATED, 17);
        Event[] all = Json.read(ask("events", "--json").out(), Event[].class);
        assertEquals(List.of(first, second), List.of(all));
    }

    @Test
    void followedEventsAreAnObjectALineUntilTheDaemonEnds() throws Exception {
        Event first = publish(EventType.STARTED, 0);
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        CompletableFuture<Integer> following = CompletableFuture.supplyAsync(() ->
                Remus.run(terminal(out, err), "events", "--follow", "--json", "--api", "127.0.0.1:" + api.port()));
        awaitLines(out, 1);
        Event second = publish(EventType.ACTIVATED, 17);
        awaitLines(out, 2);
        api.close();
        assertEquals(1, following.get(20, TimeUnit.SECONDS));
        List<Event> seen =
                out.toString().lines().map(line -> Json.read(line, Event.class)).toList();
        assertEquals(List.of(first, second), seen);
        assertTrue(err.toString().contains("the host daemon"), err.toString());
    }

    private static void awaitLines(StringWriter out, int count) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (out.toString().lines().count() < count) {
            assertTrue(System.nanoTime() < deadline, "only these events came: " + out);
            TimeUnit.MILLISECONDS.sleep(5);
        }
    }

    @Test
    void aBrokenHostConfigurationIsRefusedInOneLine() throws Exception {
        Path config = directory.resolve("host.yaml");
        Files.writeString(config, "name: alpha\nstate: /x\ncolour: red\nlisten: 'a:b'\n");
        assertFailure(remus("host", "--config", config.toString()), 1, "colour: unknown key");
        assertFailure(remus("host", "--config", directory.resolve("none").toString()), 1, "there is no file");
    }
}
