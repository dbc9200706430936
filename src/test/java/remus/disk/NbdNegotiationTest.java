package remus.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static remus.disk.NbdTestClient.contexts;
import static remus.disk.NbdTestClient.hex;
import static remus.disk.NbdTestClient.information;
import static remus.disk.NbdTestClient.reply;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The handshake byte by byte, as the document has it, and with clients that do not keep to it. */
@Timeout(30)
class NbdNegotiationTest {
    private static final int ERR_UNSUP = 0x80000001;
    private static final int ERR_INVALID = 0x80000003;
    private static final int ERR_UNKNOWN = 0x80000006;
    private static final int ERR_TOO_BIG = 0x80000009;
    /** Export information: size 1 MiB; flush, FUA, trim, zeros and several connections. */
    private static final String ROOT = "0000 0000000000100000 016d".replace(" ", "");
    /** The same once structured replies were agreed on. */
    private static final String ROOT_STRUCTURED = "0000 0000000000100000 01ed".replace(" ", "");
    /** Blocks of at least 512 bytes, better 4096, at most 2 MiB of data. */
    private static final String BLOCKS = "0003 00000200 00001000 00200000".replace(" ", "");

    @TempDir
    Path directory;

    @Nullable
    private NbdServer opened;

    @BeforeEach
    void openServer() throws Exception {
        opened = NbdServer.open(
                socket(), "shop", List.of(new MemoryExport("root", 1 << 20), new MemoryExport("data-ü", 4096)));
    }

    @AfterEach
    void closeServer() {
        if (opened != null) {
            opened.close();
        }
    }

    private Path socket() {
        return directory.resolve("nbd");
    }

    private NbdTestClient client() throws IOException {
        return NbdTestClient.greeted(socket());
    }

    @Test
    void goNamesSizeFlagsAndBlocksAndBeginsTransmission() throws Exception {
        try (NbdTestClient client = client()) {
            client.option(7, information("root"));
            client.expect(reply(7, 3, ROOT) + reply(7, 3, BLOCKS) + reply(7, 1, ""));
            client.request(0, 0, 42, 0, 512);
            client.expectSimple(0, 42, "00".repeat(512));
        }
    }

    @Test
    void informationIsGivenWithoutChoosing() throws Exception {
        try (NbdTestClient client = client()) {
            client.option(6, information("root", 3, 1, 2, 999));
            client.expect(
                    reply(6, 3, ROOT) + reply(6, 3, "0001" + hex("root")) + reply(6, 3, BLOCKS) + reply(6, 1, ""));
            client.option(8, new byte[0]);
            client.expect(reply(8, 1, ""));
            client.option(6, information("root"));
            client.expect(reply(6, 3, ROOT_STRUCTURED) + reply(6, 3, BLOCKS) + reply(6, 1, ""));
        }
    }

    @Test
    void allExportsAreListed() throws Exception {
        try (NbdTestClient client = client()) {
            client.option(3, new byte[0]);
            client.expect(
                    reply(3, 2, "00000004" + hex("root")) + reply(3, 2, "00000007" + hex("data-ü")) + reply(3, 1, ""));
            client.option(3, new byte[1]);
            expectError(client, 3, ERR_INVALID);
        }
    }

    @Test
    void theOldWayOfChoosingWorksWithAndWithoutZeros() throws Exception {
        try (NbdTestClient client = client()) {
            client.option(1, "root".getBytes(StandardCharsets.UTF_8));
            client.expect("0000000000100000 016d");
            client.request(0, 3, 1, 0, 0);
            client.expectDone(1);
        }
        try (NbdTestClient client = NbdTestClient.connect(socket())) {
            client.expect(NbdTestClient.GREETING);
            client.send("00000000");
            client.option(1, "root".getBytes(StandardCharsets.UTF_8));
            client.expect("0000000000100000 016d" + "00".repeat(124));
            client.request(0, 3, 1, 0, 0);
            client.expectDone(1);
        }
    }

    @Test
    void anUnknownExportIsRefusedOrWhereThatCanNotBeSaidCutOff() throws Exception {
        try (NbdTestClient client = client()) {
            for (int option : new int[] {6, 7}) {
                client.option(option, information(""));
                assertEquals("there is no export ''", expectError(client, option, ERR_UNKNOWN));
            }
            client.option(1, "swap".getBytes(StandardCharsets.UTF_8));
            client.expectClosed();
        }
    }

    @Test
    void abortIsAcknowledgedAndEndsTheConnection() throws Exception {
        try (NbdTestClient client = client()) {
            client.option(2, new byte[0]);
            client.expect(reply(2, 1, ""));
            client.expectClosed();
        }
    }

    @Test
    void optionsOfOthersAreSkippedAndTheNextOneIsUnderstood() throws Exception {
        try (NbdTestClient client = client()) {
            for (int option : new int[] {0, 4, 5, 11, 12, 0x7fffffff, 0xffffffff}) {
                client.option(option, new byte[1000]);
                expectError(client, option, ERR_UNSUP);
            }
            client.option(7, information("root"));
            client.expect(reply(7, 3, ROOT));
        }
    }

    @Test
    void theAllocationContextIsListedAndChosenForOneExportOnly() throws Exception {
        String context = hex("base:allocation");
        try (NbdTestClient client = client()) {
            client.option(10, contexts("root", "base:allocation"));
            assertEquals("structured replies come first", expectError(client, 10, ERR_INVALID));
            client.option(8, new byte[0]);
            client.expect(reply(8, 1, ""));
            client.option(9, contexts("root"));
            client.expect(reply(9, 4, "00000000" + context) + reply(9, 1, ""));
            client.option(9, contexts("root", "base:"));
            client.expect(reply(9, 4, "00000000" + context) + reply(9, 1, ""));
            client.option(9, contexts("root", "qemu:dirty-bitmap:x", "no colon"));
            client.expect(reply(9, 1, ""));
            client.option(10, contexts("root", "base:", "qemu:allocation-depth"));
            client.expect(reply(10, 1, ""));
            client.option(10, contexts("root"));
            client.expect(reply(10, 1, ""));
            client.option(10, contexts("swap", "base:allocation"));
            expectError(client, 10, ERR_UNKNOWN);
            client.option(10, contexts("data-ü", "x-other:", "base:allocation"));
            client.expect(reply(10, 4, "00000001" + context) + reply(10, 1, ""));
            client.option(7, information("root"));
            client.expect(reply(7, 3, ROOT_STRUCTURED) + reply(7, 3, BLOCKS) + reply(7, 1, ""));
            client.request(0, 7, 5, 0, 512);
            assertEquals("no metadata context was chosen", client.expectErrorChunk(22, 5));
        }
    }

    @Test
    void dataThatContradictsItselfIsRefusedAndTheConnectionGoesOn() throws Exception {
        try (NbdTestClient client = client()) {
            client.option(8, new byte[4]);
            expectError(client, 8, ERR_INVALID);
            client.option(8, new byte[0]);
            client.expect(reply(8, 1, ""));
            byte[] valid = information("root", 3);
            for (int option : new int[] {6, 7}) {
                for (int length = 0; length < valid.length; length++) {
                    client.option(option, Arrays.copyOf(valid, length));
                    expectError(client, option, ERR_INVALID);
                }
                client.option(option, Arrays.copyOf(valid, valid.length + 1));
                expectError(client, option, ERR_INVALID);
                client.option(option, ByteBuffer.allocate(10).putInt(-1).array());
                expectError(client, option, ERR_INVALID);
                client.option(option, ByteBuffer.allocate(6000).putInt(5000).array());
                expectError(client, option, ERR_INVALID);
                client.option(
                        option,
                        ByteBuffer.allocate(7)
                                .putInt(1)
                                .put((byte) 0xff)
                                .putShort((short) 0)
                                .array());
                assertEquals("a text is not UTF-8", expectError(client, option, ERR_INVALID));
            }
            byte[] queries = contexts("root", "base:allocation");
            for (int length = 0; length < queries.length; length++) {
                client.option(10, Arrays.copyOf(queries, length));
                expectError(client, 10, ERR_INVALID);
            }
            queries[11] = 2;
            client.option(9, queries);
            expectError(client, 9, ERR_INVALID);
        }
    }

    @Test
    void tooLongOptionsAreRefusedAndEndlessOnesCutOff() throws Exception {
        try (NbdTestClient client = client()) {
            client.option(7, new byte[NbdLimits.MAX_OPTION_BYTES + 1]);
            expectError(client, 7, ERR_TOO_BIG);
            client.send("49484156454f5054 00000063 ffffffff");
            client.expectClosed();
        }
        try (NbdTestClient client = client()) {
            client.send("49484156454f5054 00000001 00100000");
            client.expectClosed();
        }
    }

    @Test
    void whoDoesNotSpeakNbdIsCutOff() throws Exception {
        for (String nonsense : List.of("00000004", "80000000", "474554202f20485454502f312e310d0a0d0a")) {
            try (NbdTestClient client = NbdTestClient.connect(socket())) {
                client.expect(NbdTestClient.GREETING);
                client.send(nonsense);
                client.expectClosed();
            }
        }
        try (NbdTestClient client = client()) {
            client.send("49484156454f5055 00000003 00000000");
            client.expectClosed();
        }
        try (NbdTestClient client = client()) {
            for (int i = 0; i < NbdLimits.MAX_OPTIONS; i++) {
                client.option(99, new byte[0]);
                expectError(client, 99, ERR_UNSUP);
            }
            client.expectClosed();
        }
    }

    @Test
    void aSocketThatCanNotBeMadeIsNamed() throws Exception {
        List<MemoryExport> exports = List.of(new MemoryExport("root", 4096));
        DiskException refusal = assertThrows(DiskException.class, () -> NbdServer.open(socket(), "other", exports));
        assertTrue(String.valueOf(refusal.getMessage()).contains(socket().toString()), refusal.getMessage());
        // The one that is there is not disturbed.
        client().close();
        assertThrows(DiskException.class, () -> NbdServer.open(directory.resolve("x".repeat(120)), "other", exports));
    }

    @Test
    void theSocketIsTheOwnersOnlyAndGoesWithTheServer() throws Exception {
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(socket())));
        closeServer();
        assertTrue(Files.notExists(socket()));
    }

    @Test
    void exportsThatCanNotBeOfferedAreRefusedAtOnce() {
        Path other = directory.resolve("other");
        MemoryExport root = new MemoryExport("root", 4096);
        for (List<MemoryExport> exports : List.of(
                List.<MemoryExport>of(),
                List.of(root, root),
                List.of(new MemoryExport("", 4096)),
                List.of(new MemoryExport("odd", 4095)))) {
            assertThrows(IllegalArgumentException.class, () -> NbdServer.open(other, "other", exports));
        }
        assertTrue(Files.notExists(other));
    }

    /** Receives an error reply and returns its text. */
    private static String expectError(NbdTestClient client, int option, int type) throws IOException {
        client.expect("0003e889045565a9 %08x %08x".formatted(option, type));
        int length = client.receive(4).getInt();
        return new String(client.receive(length).array(), StandardCharsets.UTF_8);
    }
}
