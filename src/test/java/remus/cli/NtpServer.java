package remus.cli;

import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.time.Instant;
import remus.base.RemusException;

/**
 * An NTP server (RFC 5905) that tells this machine's time to whoever asks, as one that has a clock of its own. It has a
 * thread, which ends with {@link #close}.
 */
final class NtpServer implements AutoCloseable {
    private static final int PORT = 123;
    private static final int PACKET_BYTES = 48;
    private static final int MODE_CLIENT = 3;
    private static final int MODE_SERVER = 4;
    private static final int MODE_BITS = 0b111;
    private static final int VERSION_BITS = 0b111 << 3;
    private static final int TRANSMIT_TIME = 40;

    /** From 1900, where NTP begins, to 1970. */
    private static final long NTP_EPOCH_SECONDS = 2_208_988_800L;

    private final DatagramSocket socket;

    /** Answers on an address of the namespace that {@code inside} lives in. */
    NtpServer(NamespaceThread inside, String address) throws RemusException {
        socket = inside.call(() -> new DatagramSocket(PORT, InetAddress.getByName(address)));
        Thread.ofPlatform().name("ntp").daemon().start(this::serve);
    }

    private void serve() {
        byte[] bytes = new byte[PACKET_BYTES];
        while (true) {
            DatagramPacket packet = new DatagramPacket(bytes, bytes.length);
            try {
                socket.receive(packet);
                long received = now();
                if (packet.getLength() >= PACKET_BYTES && (bytes[0] & MODE_BITS) == MODE_CLIENT) {
                    answer(ByteBuffer.wrap(bytes), received);
                    socket.send(packet);
                }
            } catch (SocketException e) {
                return; // it is closed
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }
    }

    private static void answer(ByteBuffer packet, long received) {
        long originate = packet.getLong(TRANSMIT_TIME);
        byte version = (byte) (packet.get(0) & VERSION_BITS);
        byte poll = packet.get(2);
        packet.put((byte) (version | MODE_SERVER))
                .put((byte) 1) // stratum
                .put(poll)
                .put((byte) -20) // precision: a microsecond
                .putInt(0) // root delay
                .putInt(1) // root dispersion
                .put(new byte[] {'L', 'O', 'C', 'L'})
                .putLong(received) // when the clock was set last
                .putLong(originate)
                .putLong(received)
                .putLong(now());
    }

    /** Seconds since 1900 and their fraction, 32 bits each. */
    private static long now() {
        Instant now = Instant.now();
        return (now.getEpochSecond() + NTP_EPOCH_SECONDS) << 32 | ((long) now.getNano() << 32) / 1_000_000_000;
    }

    @Override
    public void close() {
        socket.close();
    }
}
