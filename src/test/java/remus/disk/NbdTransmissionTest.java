package remus.disk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests and their replies, the limits, and who waits for whom. */
@Timeout(30)
class NbdTransmissionTest {
    private static final int READ = 0;
    private static final int WRITE = 1;
    private static final int DISC = 2;
    private static final int FLUSH = 3;
    private static final int TRIM = 4;
    private static final int ZEROES = 6;
    private static final int STATUS = 7;
    private static final int FUA = 1;
    private static final int NO_HOLE = 2;
    private static final int DF = 4;
    private static final int REQ_ONE = 8;
    private static final int EINVAL = 22;
    private static final int ENOSPC = 28;
    private static final int BYTES = 16 << 20;

    @TempDir
    Path directory;

    private final MemoryExport export = new MemoryExport("root", BYTES);

    @Nullable
    private NbdServer opened;

    @BeforeEach
    void openServer() throws Exception {
        opened = NbdServer.open(socket(), "shop", List.of(export));
    }

    @AfterEach
    void closeServer() {
        export.letWritesGo();
        export.letFlushesGo();
        if (opened != null) {
            opened.close();
        }
    }

    private Path socket() {
        return directory.resolve("nbd");
    }

    private NbdTestClient simple() throws IOException {
        return NbdTestClient.chosen(socket(), "root", false);
    }

    private NbdTestClient structured() throws IOException {
        return NbdTestClient.chosen(socket(), "root", true);
    }

    @ParameterizedTest
    @ValueSource(ints = {512, 4096, 65536, 66048, 1 << 20, 2 << 20})
    void whatIsWrittenIsReadAtEverySize(int length) throws Exception {
        byte[] data = pattern(length, length);
        try (NbdTestClient client = simple();
                NbdTestClient other = structured()) {
            client.request(0, WRITE, 1, 1024, length, data);
            client.expectDone(1);
            assertArrayEquals(data, export.content(1024, length));
            client.request(0, READ, 2, 1024, length);
            client.expectSimple(0, 2, HexFormat.of().formatHex(data));
            other.request(DF, READ, 3, 1024, length);
            other.expect("668e33ef 0001 0001 %016x %08x %016x".formatted(3, 8 + length, 1024));
            assertArrayEquals(data, other.receive(length).array());
        }
        assertEquals(List.of("write 1024 " + length), export.calls());
    }

    @Test
    void allCommandsReachTheExportWithTheirFlags() throws Exception {
        try (NbdTestClient client = simple()) {
            client.request(FUA, WRITE, 1, 0, 512, new byte[512]);
            client.expectDone(1);
            client.request(0, FLUSH, 2, 0, 0);
            client.expectDone(2);
            client.request(0, TRIM, 3, 512, 1024);
            client.expectDone(3);
            client.request(FUA, TRIM, 4, 512, 1024);
            client.expectDone(4);
            client.request(0, ZEROES, 5, 0, BYTES);
            client.expectDone(5);
            client.request(NO_HOLE | FUA, ZEROES, 6, 0, 4096);
            client.expectDone(6);
            client.request(FUA, READ, 7, 0, 512);
            client.expectSimple(0, 7, "00".repeat(512));
            client.request(FUA, FLUSH, 8, 0, 0);
            client.expectDone(8);
        }
        assertEquals(
                List.of(
                        "write 0 512 durable",
                        "flush",
                        "trim 512 1024",
                        "trim 512 1024 durable",
                        "zero 0 " + BYTES + " may trim",
                        "zero 0 4096 durable",
                        "flush"),
                export.calls());
    }

    @Test
    void aReadAcrossAHoleSendsTheHoleInTwelveBytes() throws Exception {
        export.makeReadsWait();
        int half = BYTES / 2;
        try (NbdTestClient client = structured()) {
            client.request(0, READ, 9, half - 512, 1024);
            client.expect("668e33ef 0000 0001 %016x %08x %016x".formatted(9, 8 + 512, half - 512) + "00".repeat(512));
            client.expect("668e33ef 0001 0002 %016x %08x %016x %08x".formatted(9, 12, half, 512));
            client.request(0, READ, 10, half, 1 << 20);
            client.expect("668e33ef 0001 0002 %016x %08x %016x %08x".formatted(10, 12, half, 1 << 20));
        }
    }

    @Test
    void blockStatusTellsDataFromHoles() throws Exception {
        int half = BYTES / 2;
        try (NbdTestClient client = structured()) {
            client.request(0, STATUS, 1, 0, BYTES);
            client.expect(
                    "668e33ef 0001 0005 %016x %08x 00000001 %08x 00000000 %08x 00000003".formatted(1, 20, half, half));
            client.request(REQ_ONE, STATUS, 2, 512, BYTES - 512);
            client.expect("668e33ef 0001 0005 %016x %08x 00000001 %08x 00000000".formatted(2, 12, half - 512));
            client.request(REQ_ONE, STATUS, 3, half, 512);
            client.expect("668e33ef 0001 0005 %016x %08x 00000001 %08x 00000003".formatted(3, 12, 512));
        }
    }

    @ParameterizedTest
    @CsvSource({
        // flags, command, offset, length, error
        "0, 0, 16777216, 512, 22", // a read behind the end
        "0, 0, 16776704, 1024, 22",
        "0, 0, -512, 512, 22",
        "0, 0, 9223372036854775296, 512, 22",
        "0, 0, 0, 0, 22", // of nothing
        "0, 0, 1, 512, 22", // of no whole blocks
        "0, 0, 0, 513, 22",
        "0, 0, 0, 2097664, 22", // of more than was advertised
        "0, 0, 0, 4294966784, 22",
        "0, 3, 512, 0, 22", // a flush of something
        "0, 3, 0, 512, 22",
        "0, 4, 16777216, 512, 22", // a trim behind the end
        "0, 4, 100, 512, 22",
        "0, 4, 0, 0, 22",
        "0, 6, 16777216, 512, 28", // zeros behind the end
        "0, 6, 0, 4294966784, 28",
        "0, 6, 0, 100, 22",
        "0, 7, 16777216, 512, 22", // a status behind the end
        "0, 7, 0, 0, 22",
        "2, 0, 0, 512, 22", // flags of other commands, and none's
        "16, 0, 0, 512, 22",
        "16, 6, 0, 512, 22",
        "8, 6, 0, 512, 22",
        "4, 7, 0, 512, 22",
        "32768, 3, 0, 0, 22",
        "0, 5, 0, 512, 22", // commands of others
        "0, 8, 0, 512, 22",
        "0, 65535, 0, 512, 22"
    })
    void whatTheDocumentForbidsIsAnErrorAndTheConnectionGoesOn(
            int flags, int command, long offset, long length, int error) throws Exception {
        try (NbdTestClient client = structured()) {
            client.request(flags, command, 77, offset, length);
            assertTrue(!client.expectErrorChunk(error, 77).isEmpty());
            client.request(0, FLUSH, 78, 0, 0);
            client.expectDone(78);
        }
        try (NbdTestClient client = simple()) {
            client.request(flags, command, 79, offset, length);
            client.expectSimple(command == STATUS ? EINVAL : error, 79, "");
        }
        assertEquals(List.of("flush"), export.calls());
    }

    @Test
    void theDataOfARefusedWriteIsSkipped() throws Exception {
        try (NbdTestClient client = simple()) {
            client.request(0, WRITE, 1, BYTES, 512, new byte[512]);
            client.expectSimple(ENOSPC, 1, "");
            client.request(0, WRITE, 2, 3, 512, new byte[512]);
            client.expectSimple(EINVAL, 2, "");
            client.request(NO_HOLE, WRITE, 3, 0, 512, new byte[512]);
            client.expectSimple(EINVAL, 3, "");
            client.request(0, WRITE, 4, 0, 3 << 20, new byte[3 << 20]);
            client.expectSimple(EINVAL, 4, "");
            client.request(0, WRITE, 5, 0, 0);
            client.expectSimple(EINVAL, 5, "");
            client.request(DF, READ, 6, 0, 512);
            client.expectSimple(EINVAL, 6, "");
            client.request(0, WRITE, 7, 0, 512, new byte[512]);
            client.expectDone(7);
            client.request(0, WRITE, 8, 0, 0xffffffffL);
            client.expectClosed();
        }
        assertEquals(List.of("write 0 512"), export.calls());
    }

    @Test
    void aRequestWithoutTheMagicNumberEndsTheConnectionButNotTheServer() throws Exception {
        try (NbdTestClient client = simple()) {
            client.send("25609514" + "00".repeat(24));
            client.expectClosed();
        }
        try (NbdTestClient client = simple()) {
            client.request(0, FLUSH, 1, 0, 0);
            client.expectDone(1);
        }
    }

    @ParameterizedTest
    @CsvSource({"5, 5", "28, 28", "122, 28", "27, 28", "1, 1", "108, 108", "12, 5", "0, 5"})
    void theExportsErrorsAreToldByTheDocumentsNumbers(int errno, int told) throws Exception {
        export.failWith(errno);
        try (NbdTestClient client = simple();
                NbdTestClient other = structured()) {
            client.request(0, WRITE, 1, 0, 512, new byte[512]);
            client.expectSimple(told, 1, "");
            client.request(0, READ, 2, 0, 512);
            client.expectSimple(told, 2, "");
            client.request(0, READ, 3, 0, 1 << 20);
            client.expectSimple(told, 3, "");
            client.request(0, FLUSH, 4, 0, 0);
            client.expectSimple(told, 4, "");
            other.request(0, READ, 5, 0, 1 << 20);
            assertEquals("the test wants it so", other.expectErrorChunk(told, 5));
            export.succeedAgain();
            client.request(0, FLUSH, 6, 0, 0);
            client.expectDone(6);
        }
    }

    @Test
    void aDefectOfTheExportEndsTheConnectionButNotTheServer() throws Exception {
        try (NbdTestClient client = simple()) {
            export.breakDown();
            client.request(0, WRITE, 1, 0, 512, new byte[512]);
            client.expectClosed();
        }
        try (NbdTestClient client = simple()) {
            client.request(0, FLUSH, 1, 0, 0);
            client.expectClosed();
        }
        simple().close();
    }

    @Test
    void aBrokenInvariantIsHandedToWhoeverStartedTheServer() throws Exception {
        AssertionError defect = new AssertionError("a defect");
        BlockingQueue<Error> told = new LinkedBlockingQueue<>();
        Path other = directory.resolve("other");
        try (NbdServer server = NbdServer.open(other, "shop", List.of(export), told::add);
                NbdTestClient client = NbdTestClient.chosen(other, "root", false)) {
            export.breakDown(defect);
            client.request(0, WRITE, 1, 0, 512, new byte[512]);
            client.expectClosed();
            assertEquals(defect, told.poll(10, TimeUnit.SECONDS));
            assertEquals(other, server.socket());
        }
    }

    @Test
    void aSlowFlushHoldsUpNeitherReadsNorWrites() throws Exception {
        export.holdFlushes();
        try (NbdTestClient client = simple()) {
            client.request(0, FLUSH, 1, 0, 0);
            client.request(0, WRITE, 2, 0, 512, pattern(512, 5));
            client.expectDone(2);
            client.request(0, READ, 3, 0, 512);
            client.expectSimple(0, 3, HexFormat.of().formatHex(pattern(512, 5)));
            client.request(0, WRITE, 4, 0, 1 << 20, new byte[1 << 20]);
            client.expectDone(4);
            export.letFlushesGo();
            client.expectDone(1);
        }
    }

    /** QEMU has 16 requests under way at most: all of them may wait for room on the way to the backup. */
    @ParameterizedTest
    @ValueSource(ints = {4096, 1 << 20})
    void writesThatWaitHoldUpNoReadsAndLoseNothing(int length) throws Exception {
        export.holdWrites();
        try (NbdTestClient client = simple()) {
            for (int i = 0; i < 15; i++) {
                client.request(0, WRITE, i, (long) i * length, length, pattern(length, i));
            }
            for (int i = 0; i < 50; i++) {
                client.request(0, READ, 100, 15 << 20, 512);
                client.expectSimple(0, 100, "00".repeat(512));
            }
            await("all writes wait", () -> export.heldCount() == 15);
            client.request(0, READ, 101, 15 << 20, 512);
            client.expectSimple(0, 101, "00".repeat(512));
            export.letWritesGo();
            Set<Long> answered = new TreeSet<>();
            for (int i = 0; i < 15; i++) {
                client.expect("67446698 00000000");
                answered.add(client.receive(8).getLong());
            }
            assertEquals(15, answered.size());
            for (int i = 0; i < 15; i++) {
                assertArrayEquals(pattern(length, i), export.content((long) i * length, length));
            }
            // Again without anything that waits: whoever reads now, it is one.
            client.request(0, WRITE, 200, 0, 4096, pattern(4096, 200));
            client.expectDone(200);
            client.request(0, FLUSH, 201, 0, 0);
            client.expectDone(201);
        }
    }

    @Test
    void repliesAndRequestsBehindAWriteThatWaitsAreServedByAnotherReader() throws Exception {
        export.holdWrites();
        try (NbdTestClient client = simple()) {
            // All in one: read and write are looked at together, the reply of the first has not been sent.
            ByteBuffer together = ByteBuffer.allocate(28 + 28 + 512 + 28);
            putRequest(together, READ, 1, 0);
            putRequest(together, WRITE, 2, 4096);
            together.put(pattern(512, 2));
            putRequest(together, READ, 3, 8192);
            client.send(together.flip());
            client.expectSimple(0, 1, "00".repeat(512));
            client.expectSimple(0, 3, "00".repeat(512));
            export.letWritesGo();
            client.expectDone(2);
            assertArrayEquals(pattern(512, 2), export.content(4096, 512));
        }
    }

    private static void putRequest(ByteBuffer out, int type, long cookie, long offset) {
        out.putInt(NbdProtocol.REQUEST_MAGIC)
                .putShort((short) 0)
                .putShort((short) type)
                .putLong(cookie)
                .putLong(offset)
                .putInt(512);
    }

    @Test
    void moreRequestsThanMayBeUnderWayAreServedOneAfterTheOther() throws Exception {
        export.makeReadsWait();
        int count = 4 * NbdLimits.MAX_IN_FLIGHT;
        try (NbdTestClient client = simple()) {
            for (int i = 0; i < count; i++) {
                client.request(0, READ, i, 0, 512);
            }
            Set<Long> answered = new TreeSet<>();
            for (int i = 0; i < count; i++) {
                client.expect("67446698 00000000");
                answered.add(client.receive(8).getLong());
                client.receive(512);
            }
            assertEquals(count, answered.size());
        }
    }

    @Test
    void disconnectingAnswersWhatIsUnderWayFirst() throws Exception {
        export.holdFlushes();
        try (NbdTestClient client = simple()) {
            client.request(0, FLUSH, 1, 0, 0);
            client.request(0, DISC, 2, 0, 0);
            await("the flush waits", () -> export.heldCount() == 1);
            export.letFlushesGo();
            client.expectDone(1);
            client.expectClosed();
        }
    }

    @Test
    void aClientThatGoesLeavesNeitherThreadNorConnection() throws Exception {
        export.holdWrites();
        for (int i = 0; i < 3; i++) {
            try (NbdTestClient client = simple()) {
                client.request(0, WRITE, 1, 0, 512, new byte[512]);
                client.request(0, WRITE, 2, 0, 1 << 20, new byte[100]);
                int waiting = i + 1;
                await("the write waits", () -> export.heldCount() == waiting);
            }
        }
        export.letWritesGo();
        await("no connection", () -> opened != null && opened.connectionCount() == 0);
        await("no threads", () -> threads().stream().allMatch(NbdTransmissionTest::belongsToTheServer));
    }

    private static boolean belongsToTheServer(String thread) {
        return thread.endsWith("-accept") || thread.endsWith("-watch");
    }

    private static List<String> threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .filter(name -> name.startsWith("remus-nbd-shop"))
                .toList();
    }

    @Test
    void aClosingServerAnswersWhatIsUnderWay() throws Exception {
        export.holdFlushes();
        try (NbdTestClient client = simple();
                NbdTestClient idle = structured()) {
            client.request(0, FLUSH, 1, 0, 0);
            await("the flush waits", () -> export.heldCount() == 1);
            Thread closer = Thread.ofPlatform().start(this::closeServerOnly);
            idle.expectClosed();
            export.letFlushesGo();
            client.expectDone(1);
            client.expectClosed();
            closer.join();
        }
        await("no threads", () -> threads().isEmpty());
    }

    @Test
    void aClosingServerAnswersWhatIsUnderWayThoughAWriteIsHalfReceived() throws Exception {
        export.holdFlushes();
        try (NbdTestClient client = simple()) {
            client.request(0, FLUSH, 1, 0, 0);
            client.request(0, WRITE, 2, 0, 1 << 20, new byte[100]);
            await("the flush waits", () -> export.heldCount() == 1);
            Thread closer = Thread.ofPlatform().start(this::closeServerOnly);
            await("the socket is gone", () -> Files.notExists(socket()));
            export.letFlushesGo();
            client.expectDone(1);
            client.expectClosed();
            closer.join();
        }
        assertEquals(List.of("flush"), export.calls());
    }

    @Test
    void aServerClosesInTimeThoughARequestWaitsForEver() throws Exception {
        export.holdWrites();
        try (NbdTestClient client = simple()) {
            client.request(0, WRITE, 1, 0, 512, new byte[512]);
            for (int i = 0; i < NbdLimits.MAX_IN_FLIGHT + 5; i++) {
                client.request(0, WRITE, i, 0, 512, new byte[512]);
            }
            await("writes wait", () -> export.heldCount() > NbdLimits.MAX_IN_FLIGHT);
            closeServerOnly();
            client.expectClosed();
        }
        export.letWritesGo();
        await("no threads", () -> threads().isEmpty());
    }

    private void closeServerOnly() {
        if (opened != null) {
            opened.close();
        }
    }

    @Test
    void tooManyConnectionsAreClosedAndTheOthersGoOn() throws Exception {
        NbdTestClient[] clients = new NbdTestClient[NbdLimits.MAX_CONNECTIONS];
        try {
            for (int i = 0; i < clients.length; i++) {
                clients[i] = simple();
            }
            try (NbdTestClient refused = NbdTestClient.connect(socket())) {
                refused.expectClosed();
            }
            for (NbdTestClient client : clients) {
                client.request(0, FLUSH, 1, 0, 0);
                client.expectDone(1);
            }
        } finally {
            for (NbdTestClient client : clients) {
                if (client != null) {
                    client.close();
                }
            }
        }
        await("no connection", () -> opened != null && opened.connectionCount() == 0);
        simple().close();
    }

    private static byte[] pattern(int length, int seed) {
        byte[] data = new byte[length];
        new Random(seed).nextBytes(data);
        return data;
    }

    private static void await(String what, BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + 20_000_000_000L;
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < deadline, "waited in vain until: " + what);
            Thread.sleep(2);
        }
    }
}
