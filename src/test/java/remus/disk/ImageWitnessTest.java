package remus.disk;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whether two hosts see the same image is told from what one of them has just put beside it. */
class ImageWitnessTest {
    private static final long BYTES = 1 << 20;

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path directory;

    @SuppressWarnings("NullAway.Init")
    private Path image;

    @BeforeEach
    void create() throws Exception {
        image = directory.resolve("root.raw");
        RawImage.create(image, BYTES).close();
    }

    private static String problem(Path image, long bytes, ImageWitness.Token token) {
        return String.valueOf(assertThrows(DiskException.class, () -> ImageWitness.expect(image, bytes, token))
                .getMessage());
    }

    private List<String> names() throws Exception {
        try (Stream<Path> files = Files.list(directory)) {
            return files.map(file -> String.valueOf(file.getFileName()))
                    .filter(name -> name.startsWith("root.raw"))
                    .sorted()
                    .toList();
        }
    }

    @Test
    void theSameImageIsRecognisedWhileItsWitnessIsThereByWhateverLinkItIsReached() throws Exception {
        Path link = Files.createSymbolicLink(directory.resolve("link.raw"), image);
        try (ImageWitness witness = ImageWitness.of(link)) {
            assertTrue(problem(image, BYTES, witness.token()).contains("there is no"));
            witness.place();
            ImageWitness.expect(image, BYTES, witness.token());
            ImageWitness.expect(link, BYTES, witness.token());
        }
        assertEquals(List.of("root.raw"), names());
    }

    @Test
    void anImageOfTheSameNameElsewhereIsAnother() throws Exception {
        Path elsewhere = Files.createDirectory(directory.resolve("elsewhere")).resolve("root.raw");
        RawImage.create(elsewhere, BYTES).close();
        try (ImageWitness witness = ImageWitness.of(image)) {
            witness.place();
            assertTrue(problem(elsewhere, BYTES, witness.token()).contains("is another one here: there is no"));
            assertTrue(problem(directory.resolve("none.raw"), BYTES, witness.token())
                    .contains("there is no"));
            assertTrue(problem(image, 2 * BYTES, witness.token()).contains("it has 1048576 bytes, and not 2097152"));
            ImageWitness.Token other = new ImageWitness.Token(witness.token().suffix(), "0".repeat(32));
            assertTrue(problem(image, BYTES, other).contains("does not hold what was just written to it"));
        }
    }

    @Test
    void whatIsNoRegularFileCanHaveNone() {
        assertThrows(DiskException.class, () -> ImageWitness.of(directory));
        assertThrows(DiskException.class, () -> ImageWitness.of(directory.resolve("none.raw")));
        assertThrows(DiskException.class, () -> ImageWitness.of(Path.of("/dev/null")));
    }

    @Test
    void aTokenThatWouldLeadSomewhereElseIsNone() {
        String secret = "0".repeat(32);
        assertThrows(IllegalArgumentException.class, () -> new ImageWitness.Token("/../../etc/passwd", secret));
        assertThrows(IllegalArgumentException.class, () -> new ImageWitness.Token("0".repeat(16), ""));
        assertDoesNotThrow(() -> new ImageWitness.Token("0".repeat(16), secret));
    }

    @Test
    void whatAKilledDaemonHasLeftIsRemovedAndNothingElse() throws Exception {
        Path marker = Files.createFile(directory.resolve("root.raw.remus"));
        ImageWitness.of(image).place();
        ImageWitness.of(image).place();
        assertEquals(4, names().size());
        ImageWitness.removeLeftovers(image);
        assertEquals(List.of("root.raw", String.valueOf(marker.getFileName())), names());
        ImageWitness.removeLeftovers(directory.resolve("none.raw"));
    }
}
