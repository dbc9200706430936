package remus.disk;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static remus.disk.NbdTestClient.contexts;
import static remus.disk.NbdTestClient.information;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Sessions that are random, or right but for a few bytes: each of them ends, none takes much memory, and the server serves
 * an honest client meanwhile and afterwards. A failure names the seed and the input.
 */
@Timeout(120)
class NbdFuzzTest {
    private static final long SEED = Long.getLong("remus.fuzz.seed", 20_260_301);
    private static final int INPUTS = Integer.getInteger("remus.fuzz.inputs", 1500);
    private static final int DISK_BYTES = 1 << 20;
    private static final int MAX_INPUT_BYTES = 1 << 20;
    private static final long MAX_GROWTH_BYTES = 256L << 20;

    @TempDir
    Path directory;

    @Test
    void noInputStopsTheServerOrFillsItsMemory() throws Exception {
        Path socket = directory.resolve("nbd");
        try (NbdServer server = NbdServer.open(socket, "fuzz", List.of(new MemoryExport("root", DISK_BYTES)));
                NbdTestClient honest = NbdTestClient.chosen(socket, "root", true)) {
            long residentBefore = residentBytes();
            for (int input = 0; input < INPUTS; input++) {
                attack(socket, session(new Random(SEED + input)), input);
                honest.request(0, 3, input, 0, 0);
                honest.expectDone(input);
            }
            long grown = residentBytes() - residentBefore;
            assertTrue(grown < MAX_GROWTH_BYTES, "resident memory grew by " + grown);
            NbdTestClient.chosen(socket, "root", false).close();
            long deadline = System.nanoTime() + 20_000_000_000L;
            while (server.connectionCount() > 1) {
                assertTrue(System.nanoTime() < deadline, "connections left: " + server.connectionCount());
                Thread.sleep(5);
            }
        }
    }

    /** What a client sends in all. */
    private static ByteBuffer session(Random random) {
        ByteBuffer bytes = ByteBuffer.allocate(MAX_INPUT_BYTES);
        if (random.nextInt(10) == 0) {
            byte[] noise = new byte[random.nextInt(2000)];
            random.nextBytes(noise);
            return bytes.put(noise).flip();
        }
        bytes.putInt(random.nextInt(50) == 0 ? random.nextInt() : 3);
        for (int i = random.nextInt(6); i > 0; i--) {
            putOption(bytes, random);
        }
        if (random.nextInt(10) > 0) {
            boolean oldWay = random.nextInt(5) == 0;
            putOption(
                    bytes,
                    oldWay ? NbdProtocol.OPT_EXPORT_NAME : NbdProtocol.OPT_GO,
                    oldWay ? "root".getBytes(StandardCharsets.UTF_8) : information("root", 3));
        }
        for (int i = random.nextInt(60); i > 0; i--) {
            putRequest(bytes, random);
        }
        bytes.flip();
        if (random.nextBoolean()) {
            for (int i = random.nextInt(4); i >= 0; i--) {
                bytes.put(random.nextInt(bytes.limit()), (byte) random.nextInt());
            }
        }
        if (random.nextInt(4) == 0) {
            bytes.limit(random.nextInt(bytes.limit() + 1));
        }
        return bytes;
    }

    private static void putOption(ByteBuffer bytes, Random random) {
        int option = random.nextInt(13);
        switch (option) {
            case 6, 7 -> putOption(bytes, option, information(random.nextInt(4) == 0 ? "swap" : "root", 3));
            case 9, 10 -> putOption(bytes, option, contexts("root", "base:", "base:allocation", "x:y"));
            case 3, 8 -> putOption(bytes, option, new byte[0]);
            default -> {
                byte[] noise = new byte[random.nextInt(300)];
                random.nextBytes(noise);
                putOption(bytes, option == 1 || option == 2 ? 4 : option, noise);
            }
        }
    }

    private static void putOption(ByteBuffer bytes, int option, byte[] data) {
        bytes.putLong(NbdProtocol.OPTION_MAGIC)
                .putInt(option)
                .putInt(data.length)
                .put(data);
    }

    private static void putRequest(ByteBuffer bytes, Random random) {
        int type = random.nextInt(10) == 0 ? random.nextInt(65536) : random.nextInt(8);
        int length = 512 * random.nextInt(20) + (random.nextInt(10) == 0 ? random.nextInt() : 0);
        boolean whole = type != NbdProtocol.CMD_WRITE || (length >= 0 && length < 16 << 10);
        bytes.putInt(NbdProtocol.REQUEST_MAGIC)
                .putShort((short) (random.nextInt(4) == 0 ? random.nextInt() : 0))
                .putShort((short) (type == NbdProtocol.CMD_DISC && random.nextInt(4) > 0 ? 0 : type))
                .putLong(random.nextLong())
                .putLong(random.nextInt(8) == 0 ? random.nextLong() : 512L * random.nextInt(DISK_BYTES / 512))
                .putInt(length);
        if (type == NbdProtocol.CMD_WRITE && whole) {
            bytes.put(new byte[length]);
        }
    }

    /** Sends, reads what comes, and returns when the server has closed the connection. */
    private static void attack(Path socket, ByteBuffer bytes, int input) throws InterruptedException {
        String which = "seed=" + SEED + " input=" + input;
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            Thread reader = Thread.ofVirtual().start(() -> readAll(channel));
            try {
                while (bytes.hasRemaining()) {
                    channel.write(bytes);
                }
                channel.shutdownOutput();
            } catch (IOException e) {
                // The server closed the connection before it had read everything: its right.
                assertTrue(!which.isEmpty());
            }
            assertTrue(reader.join(Duration.ofSeconds(20)), "the server does not end: " + which);
        } catch (IOException e) {
            throw new AssertionError("the server is not there: " + which, e);
        }
    }

    private static void readAll(SocketChannel channel) {
        try {
            Channels.newInputStream(channel).readAllBytes();
        } catch (IOException e) {
            // Cut off by the server, which is an end as well.
            return;
        }
    }

    /** Resident memory (proc_pid_statm(5)). */
    private static long residentBytes() throws IOException {
        return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ", -1)[1]) * 4096;
    }
}
