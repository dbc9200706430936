package remus.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** When a file that several threads use is closed. */
@Timeout(30)
class PositionalFileTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    private Path directory;

    private PositionalFile open() throws Exception {
        Path path = directory.resolve("image");
        if (Files.notExists(path)) {
            Files.write(path, new byte[512]);
        }
        return PositionalFile.open(path, false);
    }

    @Test
    void aFileIsClosedAtOnceWhenNobodyUsesIt() throws Exception {
        PositionalFile file = open();
        assertTrue(file.tryLock());
        assertTrue(file.closeWithin(PositionalFile.CLOSE_LIMIT));
        assertThrows(IllegalStateException.class, file::size);
        try (PositionalFile next = open()) {
            assertTrue(next.tryLock());
        }
    }

    @Test
    void aCallThatHangsKeepsTheFileOpenAndLockedButNotWhoClosesIt() throws Exception {
        PositionalFile file = open();
        assertTrue(file.tryLock());
        long call = file.beginCall();
        Thread.currentThread().interrupt();
        assertFalse(file.closeWithin(Duration.ofMillis(20)));
        assertTrue(Thread.interrupted(), "an interrupt is kept");
        assertThrows(IllegalStateException.class, file::sync);
        try (PositionalFile next = open()) {
            assertFalse(next.tryLock());
            assertEquals(512, next.size());
            file.endCall(call);
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
            while (!next.tryLock()) {
                assertTrue(System.nanoTime() < deadline, "it is never closed");
                Thread.onSpinWait();
            }
        }
    }
}
