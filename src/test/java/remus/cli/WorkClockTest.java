package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.bench.StopSignal;

@Timeout(60)
class WorkClockTest {
    @TempDir
    private Path directory;

    private Path file() {
        return directory.resolve("console.log");
    }

    private void write(String text) throws Exception {
        Files.writeString(file(), text, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    private static void expectWaiting(Future<Long> future) {
        assertThrows(TimeoutException.class, () -> future.get(20, TimeUnit.MILLISECONDS));
    }

    @Test
    void onlyWholeLinesOfTheWorkCountAndOnlyThoseThatComeLater() throws Exception {
        write("remus-guest: ready\r\nspin: 1\r\nspin: 2\r\nspi");
        try (StopSignal stop = StopSignal.install();
                WorkClock clock = new WorkClock(new BenchConsole(file()), "spin: ", stop);
                ExecutorService other = Executors.newSingleThreadExecutor()) {
            long before = System.nanoTime();
            Future<Long> next = other.submit(clock::awaitNext);
            expectWaiting(next);
            write("n: 3");
            expectWaiting(next);
            write("\r\n");
            assertTrue(next.get() - before > 0);

            Future<Long> two = other.submit(() -> clock.await(2));
            write("dirty: rounds=1\r\nspin: 4\r\n");
            expectWaiting(two);
            write("spin: 5\r\n");
            assertTrue(two.get() - next.get() > 0);
        }
    }

    @Test
    void aTimeIsWholeUnitsOfTheWorkAndAtLeastOne() {
        WorkSize size = new WorkSize(Duration.ofMillis(300).toNanos());
        assertEquals(10, size.units(Duration.ofSeconds(3)));
        assertEquals(3, size.units(Duration.ofSeconds(1)));
        assertEquals(1, size.units(Duration.ofMillis(10)));
    }
}
