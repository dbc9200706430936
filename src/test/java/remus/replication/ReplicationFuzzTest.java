package remus.replication;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Garbage, truncated, oversized and bit-flipped frames over real sockets, the same ones in each run. What a frame's
 * contents may be is {@code HostileFramesTest}'s.
 */
class ReplicationFuzzTest {
    private static final long SEED = 42;
    private static final int INPUTS = 10_000;
    private static final int WARM_UP_INPUTS = INPUTS / 3;
    private static final int MAX_GROWTH_BYTES = 128 << 20;
    private static final int CHECKPOINT_EACH = 1_000;

    @Test
    @Timeout(300)
    void hostileConnectionsHurtNobodyElse() throws Exception {
        try (TestBackup backup = new TestBackup();
                TestPrimary bystander = new TestPrimary(backup.address())) {
            bystander.synchronize();
            long descriptorsBefore = NativeUse.openDescriptors();
            long residentBefore = 0;
            long epoch = 1;
            HostileInputs inputs = new HostileInputs(SEED);
            for (int input = 0; input < INPUTS; input++) {
                if (input == WARM_UP_INPUTS) {
                    residentBefore = NativeUse.residentBytes();
                }
                if (input % CHECKPOINT_EACH == 0) {
                    System.gc(); // what only waits for the collector is no leak
                    epoch++;
                    bystander.channel.send(bystander.checkpoint(epoch, 10));
                    bystander.await("acknowledged " + epoch);
                }
                attack(backup, inputs.next(), input);
            }
            assertInstanceOf(
                    PeerAnswer.Answered.class,
                    new PeerQuery(TestBackup.TIME).ask(backup.address(), "shop", Duration.ofSeconds(5)));
            bystander.channel.send(bystander.checkpoint(epoch + 1, 10));
            bystander.await("acknowledged " + (epoch + 1));
            assertTrue(backup.server().closedCount() > 0);
            assertFalse(bystander.heard.contains("disconnected"), "somebody else's session was cut");
            long grown = NativeUse.residentBytes() - residentBefore;
            assertTrue(grown < MAX_GROWTH_BYTES, "resident memory grew by " + grown);
            TestPrimary.await(
                    "descriptors back, before " + descriptorsBefore,
                    () -> NativeUse.openDescriptors() <= descriptorsBefore + 4);
        }
    }

    /** Sends and waits until the server has closed the connection. */
    private static void attack(TestBackup backup, byte[] bytes, int input) {
        try (Socket socket =
                new Socket(InetAddress.getLoopbackAddress(), backup.address().port())) {
            socket.setSoTimeout(8_000);
            socket.getOutputStream().write(bytes);
            socket.shutdownOutput();
            socket.getInputStream().readAllBytes();
        } catch (SocketException e) {
            // Closed on us, with our bytes unread: as it should be.
            return;
        } catch (IOException e) {
            throw new AssertionError("seed=" + SEED + " input=" + input, e);
        }
    }
}
