package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import remus.api.EventType;
import remus.api.VmState;
import remus.api.WhenAlone;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.host.EventLog;
import remus.host.FakeHost;
import remus.host.HttpApi;
import remus.host.SettableTime;

/** {@code remus top} on a real terminal, as a person uses it. */
@Tag("system")
@Timeout(180)
class TopSystemTest {
    private static final String LEAVE_SCREEN = "\u001b[?1049l";
    private static final String SHOW_CURSOR = "\u001b[?25h";

    @TempDir
    private Path directory;

    @Test
    void aRealHostsVmIsWatchedThroughItsProtection() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            try (TestPty pty = new TestPty(
                    120,
                    30,
                    "xterm-256color",
                    hosts.topology.inside(DemoTopology.Place.ALPHA, List.of()),
                    "top",
                    "--interval",
                    "200ms",
                    "--api",
                    hosts.alpha.apiAddress().toString())) {
                pty.await("UNPROTECTED");
                hosts.protect(hosts.alpha, hosts.beta, "2s", WhenAlone.HOLD);
                pty.await(
                        screen -> screen.lines()
                                .anyMatch(line ->
                                        line.matches("\\S+ +primary PROTECTED +2 +[1-9]\\S* +\\S+/\\S+ .*:7420")),
                        "the protected VM with its figures");
                pty.await(screen -> screen.matches("(?s).*LAST EVENTS.* PROTECTED .*"), "the event");
                pty.type("q");
                assertEquals("code=0 same=yes", pty.awaitEnd());
            }
        }
    }

    // ---- a host of which only the API is real

    private HttpApi serve(EventLog events, int port) throws Exception {
        FakeHost host = new FakeHost();
        host.vms.put("shop", FakeHost.vm("shop", VmState.PROTECTED));
        return HttpApi.start(new HostAddress("127.0.0.1", port), host, events);
    }

    private static TestPty top(int port, String type) throws Exception {
        return new TestPty(80, 24, type, List.of(), "top", "--interval", "100ms", "--api", "127.0.0.1:" + port);
    }

    @ParameterizedTest
    @ValueSource(strings = {"q", "Ctrl-C", "SIGTERM"})
    void theTerminalIsAsBeforeHoweverItEnds(String end) throws Exception {
        try (EventLog events = new EventLog(directory, new SettableTime());
                HttpApi api = serve(events, 0);
                TestPty pty = top(api.port(), "xterm-256color")) {
            pty.await("shop");
            switch (end) {
                case "q" -> pty.type("q");
                case "Ctrl-C" -> pty.type("\u0003");
                default -> pty.jvm().destroy();
            }
            String last = pty.awaitEnd();
            assertEquals(end.equals("SIGTERM") ? "code=143 same=yes" : "code=0 same=yes", last);
            String sent = pty.sent();
            assertTrue(sent.lastIndexOf(LEAVE_SCREEN) > sent.lastIndexOf("shop"), sent);
            assertTrue(sent.contains(SHOW_CURSOR), sent);
            assertTrue(sent.contains("\u001b[32m"), "green: " + sent);
            assertFalse(sent.contains("WARNING"), sent);
        }
    }

    @Test
    void aHostThatIsGoneIsNamedAndFoundAgain() throws Exception {
        try (EventLog events = new EventLog(directory, new SettableTime())) {
            HttpApi first = serve(events, 0);
            int port = first.port();
            try (TestPty pty = top(port, "xterm-256color")) {
                pty.await("Host alpha");
                first.close();
                pty.await("no host daemon answers at 127.0.0.1:" + port);
                pty.await("asking again every 100ms; below is what it said at");
                try (HttpApi second = serve(events, port)) {
                    assertEquals(port, second.port());
                    pty.await(screen -> !screen.contains("no host daemon"), "the host again");
                    events.publish("shop", EventType.BACKUP_LOST, "output is held", new Term(3), new EpochId(9));
                    pty.await("BACKUP_LOST");
                }
                pty.type("q");
                pty.awaitEnd();
            } finally {
                first.close();
            }
        }
    }

    @Test
    void anotherSizeIsFilledAnew() throws Exception {
        try (EventLog events = new EventLog(directory, new SettableTime());
                HttpApi api = serve(events, 0);
                TestPty pty = top(api.port(), "xterm-256color")) {
            String small = pty.await("q quit");
            assertFalse(small.contains("PEER"), small);
            pty.resize(120, 30);
            String large = pty.await("PEER");
            assertTrue(large.contains("192.0.2.7:7420"), large);
            pty.type("?");
            pty.await("any key: back");
            pty.type("xp");
            pty.await("stands still since");
            pty.type("q");
            pty.awaitEnd();
        }
    }

    @Test
    void aTerminalWithoutColoursGetsNone() throws Exception {
        try (EventLog events = new EventLog(directory, new SettableTime());
                HttpApi api = serve(events, 0);
                TestPty pty = top(api.port(), "vt100")) {
            pty.await("PROTECTED");
            pty.type("q");
            pty.awaitEnd();
            assertFalse(pty.sent().matches("(?s).*\u001b\\[[0-9;]*3[0-9][0-9;]*m.*"), pty.sent());
        }
    }
}
