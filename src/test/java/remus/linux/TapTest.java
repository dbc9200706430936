package remus.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("system")
class TapTest {
    private static final byte[] BROADCAST_FRAME = broadcastFrame();

    @Test
    void framesOfOneTapReachTheOtherPortOfItsBridge() throws Exception {
        try (TestNamespace namespace = new TestNamespace()) {
            namespace.run("ip", "link", "add", "br0", "type", "bridge");
            namespace.run("ip", "link", "set", "br0", "up");
            namespace.inside(() -> {
                try (Tap one = port("one", "br0");
                        Tap two = port("two", "br0");
                        Arena arena = Arena.ofConfined();
                        Poller poller = new Poller(1)) {
                    MemorySegment frame = arena.allocate(2048);
                    MemorySegment.copy(BROADCAST_FRAME, 0, frame, ValueLayout.JAVA_BYTE, 0, BROADCAST_FRAME.length);
                    // A new port forwards only after the bridge has made it a forwarding one: offer the frame again.
                    long deadline = System.nanoTime() + 20_000_000_000L;
                    boolean arrived = false;
                    while (!arrived && System.nanoTime() < deadline) {
                        one.descriptor().write(frame, 0, BROADCAST_FRAME.length);
                        poller.enable(0, two.descriptor(), true, false);
                        poller.await(100_000_000L);
                        arrived = receivesTheFrame(two, arena);
                    }
                    assertTrue(arrived, "a broadcast from one port must reach the other");
                }
                return 0;
            });
        }
    }

    @Test
    void theDeviceIsGoneWhenItsOwnerClosesIt() throws Exception {
        try (TestNamespace namespace = new TestNamespace()) {
            namespace.inside(() -> {
                Tap tap = Tap.open("remus%d");
                assertEquals("remus0", tap.name());
                assertFalse(tap.isUp());
                tap.bringUp();
                assertTrue(tap.isUp());
                assertTrue(namespace.run("ip", "-o", "link").contains("remus0"));
                tap.close();
                assertFalse(namespace.run("ip", "-o", "link").contains("remus0"));
                return 0;
            });
        }
    }

    @Test
    void readingWithoutAFrameDoesNotBlock() throws Exception {
        try (TestNamespace namespace = new TestNamespace()) {
            namespace.inside(() -> {
                try (Tap tap = Tap.open("quiet");
                        Arena arena = Arena.ofConfined()) {
                    assertEquals(FileDescriptor.WOULD_BLOCK, tap.descriptor().read(arena.allocate(2048), 0, 2048));
                }
                return 0;
            });
        }
    }

    @Test
    void onlyABridgeCountsAsABridge() throws Exception {
        try (TestNamespace namespace = new TestNamespace()) {
            namespace.run("ip", "link", "add", "br7", "type", "bridge");
            namespace.inside(() -> {
                assertTrue(Tap.isBridge("br7"));
                assertFalse(Tap.isBridge("lo"));
                assertFalse(Tap.isBridge("absent"));
                try (Tap tap = Tap.open("tap7")) {
                    assertFalse(Tap.isBridge("tap7"));
                    LinuxException failure = assertThrows(LinuxException.class, () -> tap.joinBridge("absent"));
                    assertTrue(failure.toString().contains("no bridge of that name"), failure.toString());
                }
                return 0;
            });
            assertFalse(Tap.isBridge("br7"), "the bridge is in the namespace, and this thread is not");
        }
    }

    @Test
    void aTakenNameIsRefusedWithTheReason() throws Exception {
        try (TestNamespace namespace = new TestNamespace()) {
            namespace.inside(() -> {
                try (Tap first = Tap.open("taken")) {
                    LinuxException failure = assertThrows(LinuxException.class, () -> Tap.open(first.name()));
                    assertTrue(failure.toString().contains("exists and is in use"), failure.toString());
                }
                return 0;
            });
        }
    }

    @Test
    void aMissingDeviceNodeSaysWhatToDo() {
        LinuxException failure = assertThrows(LinuxException.class, () -> Tap.open(Path.of("/dev/net/absent"), "none"));
        assertEquals(Errno.ENOENT, failure.errno());
        assertTrue(failure.toString().contains("modprobe tun"), failure.toString());
    }

    private static Tap port(String name, String bridge) throws LinuxException {
        Tap tap = Tap.open(name);
        tap.joinBridge(bridge);
        tap.bringUp();
        return tap;
    }

    private static boolean receivesTheFrame(Tap tap, Arena arena) throws LinuxException {
        MemorySegment received = arena.allocate(2048);
        int length;
        while ((length = tap.descriptor().read(received, 0, 2048)) > 0) {
            MemorySegment expected = MemorySegment.ofArray(BROADCAST_FRAME);
            if (length == BROADCAST_FRAME.length
                    && MemorySegment.mismatch(received, 0, length, expected, 0, length) < 0) {
                return true;
            }
        }
        return false;
    }

    private static byte[] broadcastFrame() {
        byte[] frame = new byte[60];
        for (int i = 0; i < 6; i++) {
            frame[i] = (byte) 0xff;
        }
        frame[6] = 0x52;
        frame[7] = 0x54;
        frame[11] = 0x01;
        // An EtherType for local experiments (IEEE 802), so that nothing on the way takes it for its own.
        frame[12] = (byte) 0x88;
        frame[13] = (byte) 0xb5;
        return frame;
    }
}
