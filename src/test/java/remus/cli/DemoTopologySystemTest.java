package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import remus.base.RemusException;
import remus.cli.DemoTopology.Place;

/** The demo's network as the kernel makes it; needs root. */
@Tag("system")
@Timeout(60)
class DemoTopologySystemTest {
    private DemoTopology topology;

    @BeforeEach
    void create() throws Exception {
        topology = DemoTopology.create();
    }

    @AfterEach
    void close() throws Exception {
        topology.close();
    }

    /** Takes and ends all connections: those that nobody takes fill its queue, and then it looks like a pulled cable. */
    private static ServerSocket listen(Place place) throws IOException {
        ServerSocket server = new ServerSocket(7420, 5, InetAddress.getByName(place.address()));
        Thread.ofPlatform().daemon().start(() -> {
            try {
                while (true) {
                    server.accept().close();
                }
            } catch (IOException e) {
                // closed by the test
            }
        });
        return server;
    }

    private static boolean connects(NamespaceThread from, String address, int port) throws RemusException {
        return from.call(() -> {
            try (Socket socket = new Socket()) {
                socket.connect(new InetSocketAddress(address, port), 500);
                return true;
            } catch (IOException e) {
                return false;
            }
        });
    }

    private static void await(NamespaceThread from, String address, int port, boolean reachable) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (connects(from, address, port) != reachable) {
            assertTrue(System.nanoTime() < deadline, address + " reachable: " + reachable);
            TimeUnit.MILLISECONDS.sleep(10);
        }
    }

    @Test
    void hostsReachEachOtherUntilACableIsPulled() throws Exception {
        try (NamespaceThread client = new NamespaceThread(topology.namespaceFile(Place.CLIENT));
                NamespaceThread alpha = new NamespaceThread(topology.namespaceFile(Place.ALPHA));
                NamespaceThread beta = new NamespaceThread(topology.namespaceFile(Place.BETA));
                ServerSocket onAlpha = alpha.call(() -> listen(Place.ALPHA));
                ServerSocket onBeta = beta.call(() -> listen(Place.BETA))) {
            assertTrue(onAlpha.isBound() && onBeta.isBound());
            assertTrue(connects(client, Place.ALPHA.address(), 7420));
            assertTrue(connects(alpha, Place.BETA.address(), 7420));
            topology.pullCable(Place.ALPHA);
            await(client, Place.ALPHA.address(), 7420, false);
            assertFalse(connects(alpha, Place.BETA.address(), 7420));
            assertTrue(connects(client, Place.BETA.address(), 7420));
            topology.plugCable(Place.ALPHA);
            await(client, Place.ALPHA.address(), 7420, true);
        }
    }

    @Test
    void aCableIsPulledWithinMilliseconds() throws Exception {
        assertTrue(isUp());
        Moment pulled = topology.pullCable(Place.ALPHA);
        while (isUp()) {
            assertTrue(System.nanoTime() - pulled.nanos() < TimeUnit.SECONDS.toNanos(5));
        }
        System.out.printf("cable seen pulled after %.1f ms%n", (System.nanoTime() - pulled.nanos()) / 1e6);
    }

    /** What the host itself sees of its cable. */
    private boolean isUp() throws Exception {
        List<String> command = List.of("ip", "-netns", topology.namespace(Place.ALPHA), "-o", "link", "show", "up0");
        Process process = new ProcessBuilder(command).start();
        String text = new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor());
        return text.contains("LOWER_UP");
    }

    @Test
    void theBridgesAddressStaysWhenATapJoins() throws Exception {
        String before = mac();
        IpSession.run(
                topology.namespace(Place.ALPHA),
                List.of(
                        "tuntap add tap9 mode tap",
                        "link set tap9 address 00:00:5e:00:53:01",
                        "link set tap9 master br0"));
        assertEquals(before, mac());
    }

    private String mac() throws RemusException {
        try (NamespaceThread alpha = new NamespaceThread(topology.namespaceFile(Place.ALPHA))) {
            return alpha.call(() -> java.util.HexFormat.of()
                    .formatHex(NetworkInterface.getByName("br0").getHardwareAddress()));
        }
    }

    @Test
    void nothingIsLeftBehindEvenAfterAFailure() throws Exception {
        assertTrue(Files.exists(topology.namespaceFile(Place.BETA)));
        // The names are taken: a second one can't be made, and must not take down the first one's either.
        CommandException refusal = assertThrows(CommandException.class, DemoTopology::create);
        assertTrue(String.valueOf(refusal.getMessage()).contains("File exists"), refusal.getMessage());
        assertTrue(Files.exists(topology.namespaceFile(Place.CLIENT)));
        topology.close();
        for (Place place : Place.values()) {
            assertFalse(Files.exists(topology.namespaceFile(place)), place.toString());
        }
        topology.close();
    }

    @Test
    void aProcessRunsInside() throws Exception {
        Process process =
                new ProcessBuilder(topology.inside(Place.BETA, List.of("cat", "/proc/self/net/fib_trie"))).start();
        String text = new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        assertTrue(process.waitFor(10, TimeUnit.SECONDS));
        assertTrue(text.contains("10.77.0.12"), text);
        assertFalse(InetAddress.getByName("10.77.0.12").isReachable(1), "not from outside");
    }

    @Test
    void aFailingCommandIsNamed() {
        CommandException failure = assertThrows(
                CommandException.class,
                () -> IpSession.run(topology.namespace(Place.BETA), List.of("link set nothing up")));
        assertTrue(String.valueOf(failure.getMessage()).contains("nothing"), failure.getMessage());
    }
}
