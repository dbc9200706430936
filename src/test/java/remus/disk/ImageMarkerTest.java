package remus.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import remus.base.HostAddress;
import remus.base.Term;

class ImageMarkerTest {
    private static final ImageMarker MARKER = new ImageMarker(
            "shop",
            "root",
            "alpha",
            new Term(7),
            ImageMarker.Role.STANDBY,
            new ImageMarker.Peer("beta", new HostAddress("192.0.2.7", 7420)),
            Path.of("/var/lib/remus/vms/shop/redo.log"),
            Instant.parse("2026-11-22T20:55:41Z"));
    private static final String GOLDEN =
            "{\"version\":1,\"vm\":\"shop\",\"disk\":\"root\",\"host\":\"alpha\",\"term\":7,\"role\":\"STANDBY\","
                    + "\"peer\":{\"name\":\"beta\",\"address\":\"192.0.2.7:7420\"},"
                    + "\"redoLog\":\"/var/lib/remus/vms/shop/redo.log\",\"since\":\"2026-11-22T20:55:41Z\"}\n";

    @TempDir
    private Path directory;

    private Path image;

    @BeforeEach
    void makeImage() throws IOException {
        image = Files.createFile(directory.resolve("root.raw"));
    }

    private Path file() {
        return directory.resolve("root.raw.remus");
    }

    @Test
    void aMarkerIsReadAsItWasWritten() throws Exception {
        MARKER.write(image);
        assertEquals(GOLDEN, Files.readString(file()));
        assertEquals(Optional.of(MARKER), ImageMarker.read(image));
    }

    @Test
    void aMarkerTakesThePlaceOfTheOneBefore() throws Exception {
        MARKER.write(image);
        ImageMarker next = new ImageMarker(
                "shop", "root", "alpha", new Term(8), ImageMarker.Role.PROTECTED, MARKER.peer(), null, MARKER.since());
        next.write(image);
        assertEquals(Optional.of(next), ImageMarker.read(image));
        assertFalse(Files.exists(DurableFiles.partial(file())));
    }

    @Test
    void anImageWithoutMarkerHasNone() throws Exception {
        assertEquals(Optional.empty(), ImageMarker.read(image));
        ImageMarker.remove(image);
        MARKER.write(image);
        ImageMarker.remove(image);
        assertEquals(Optional.empty(), ImageMarker.read(image));
    }

    @Test
    void anImageHasOneMarkerWhateverLinksLeadToIt() throws Exception {
        Path link = Files.createSymbolicLink(directory.resolve("link"), image);
        MARKER.write(link);
        assertEquals(Optional.of(MARKER), ImageMarker.read(image));
        assertEquals(file(), ImageMarker.fileOf(link));
    }

    @Test
    void aDeviceNeedsALinkThatLasts() throws Exception {
        DiskException refused = assertThrows(DiskException.class, () -> ImageMarker.fileOf(Path.of("/dev/null")));
        assertTrue(String.valueOf(refused.getMessage()).contains("ln -s /dev/null"), refused::getMessage);
        Path link = Files.createSymbolicLink(directory.resolve("disk"), Path.of("/dev/null"));
        assertEquals(directory.toRealPath().resolve("disk.remus"), ImageMarker.fileOf(link));
    }

    @Test
    void whateverIsCutOffAMarkerItIsRefused() throws Exception {
        for (int length = 0; length < GOLDEN.length() - 1; length++) {
            refused(GOLDEN.substring(0, length));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "null",
                "[]",
                "{}",
                "garbage",
                "version\":1@version\":2",
                "version\":1@version\":\"1\"",
                "version\":1@version\":1.0",
                "\"vm\":\"shop\",@",
                "\"vm\":\"shop\"@\"vm\":null",
                "\"vm\":\"shop\"@\"vm\":\"\"",
                "\"vm\"@\"vm\":\"other\",\"vm\"",
                "\"vm\"@\"owner\":\"other\",\"vm\"",
                "\"term\":7@\"term\":-7",
                "\"term\":7@\"term\":null",
                "\"term\":7,@",
                "STANDBY@OWNER",
                "\"STANDBY\"@1",
                "192.0.2.7:7420@192.0.2.7",
                "\"/var/lib@\"var/lib",
                "2026-11@2026-13",
                "}\n@}\n{}",
            })
    void aMarkerThatSaysSomethingElseIsRefused(String change) throws Exception {
        int at = change.indexOf('@');
        String text = at < 0 ? change : GOLDEN.replace(change.substring(0, at), change.substring(at + 1));
        assertFalse(text.equals(GOLDEN), "the change changes nothing");
        refused(text);
    }

    @Test
    void aMarkerThatIsNoTextIsRefused() throws Exception {
        Files.write(file(), new byte[] {(byte) 0xff, (byte) 0xfe});
        assertThrows(DiskException.class, () -> ImageMarker.read(image));
        Files.write(file(), new byte[ImageMarker.MAX_BYTES + 1]);
        assertThrows(DiskException.class, () -> ImageMarker.read(image));
        Files.delete(file());
        Files.createDirectory(file());
        assertThrows(DiskException.class, () -> ImageMarker.read(image));
        Files.delete(file());
        Files.createSymbolicLink(file(), directory.resolve("nowhere"));
        assertThrows(DiskException.class, () -> ImageMarker.read(image));
    }

    private void refused(String text) throws IOException {
        Files.writeString(file(), text);
        DiskException refused = assertThrows(DiskException.class, () -> ImageMarker.read(image), text);
        assertTrue(String.valueOf(refused.getMessage()).contains(file().toString()), refused::getMessage);
    }
}
