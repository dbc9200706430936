package remus.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import remus.base.ByteSize;
import remus.memory.DirtyPages;
import remus.qemu.Accelerator;

class WorkingSetTest {
    private static final long MILLI = 1_000_000;
    private static final long MEMORY_PAGES = 1_000;
    private static final Duration INTERVAL = Duration.ofMillis(50);

    private final WorkingSet set =
            new WorkingSet(MEMORY_PAGES, INTERVAL, List.of(Duration.ofMillis(100), Duration.ofMillis(200)), 0);

    private void add(long atMillis, long... firstAndCount) {
        DirtyPages pages = new DirtyPages();
        for (int i = 0; i < firstAndCount.length; i += 2) {
            pages.add(firstAndCount[i], firstAndCount[i + 1]);
        }
        set.add(atMillis * MILLI, pages);
    }

    private WwsCase summary() {
        return set.summary(new GuestLoad(500), MEMORY_PAGES * 4096);
    }

    @Test
    void aPageCountsOnceInAWindowHoweverOftenItIsWritten() {
        add(50, 0, 10);
        add(100, 5, 10);
        add(150, 0, 10);
        add(200, 900, 1);

        WwsCase measured = summary();

        assertEquals(List.of(10L, 10L, 10L, 1L), measured.pagesOverTime());
        assertEquals(16, measured.distinctPages());
        WwsCase.Window tenth = measured.windows().getFirst();
        assertEquals(2, tenth.count());
        assertEquals(11, tenth.pagesMin());
        assertEquals(15, tenth.pagesMax());
        WwsCase.Window fifth = measured.windows().getLast();
        assertEquals(1, fifth.count());
        assertEquals(16, fifth.pagesP50());
        assertEquals(1.6, fifth.percentOfMemory());
        assertEquals(200, fifth.windowMillisMeasured());
    }

    @Test
    void theRateIsThatOfTheMedianInterval() {
        add(50, 0, 10);
        add(100, 0, 10);
        add(150, 0, 90);

        WwsCase measured = summary();

        assertEquals(10, measured.pagesPerIntervalP50());
        assertEquals(90, measured.pagesPerIntervalMax());
        assertEquals(200, measured.pagesPerSecondP50());
        assertEquals(0.15, measured.seconds());
        assertEquals("dirty-500", measured.workload());
    }

    @Test
    void lateIntervalsMakeNoWindowLongerThanTheyMust() {
        add(70, 0, 1);
        add(99, 0, 1);
        assertEquals(1, summary().windows().getFirst().count(), "99 ms are nearer to 100 than what comes next");
        add(170, 0, 1);
        assertEquals(1, summary().windows().getFirst().count());
        add(400, 0, 1);
        assertEquals(2, summary().windows().getFirst().count(), "one interval that was late is one window");
        assertEquals(
                0,
                new WorkingSet(1, INTERVAL, List.of(INTERVAL), 0)
                        .summary(new GuestLoad(0), 4096)
                        .windows()
                        .getFirst()
                        .count());
    }

    @Test
    void whatCannotBeMeasuredIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> settings(0, 50));
        assertThrows(IllegalArgumentException.class, () -> settings(1, 4));
        assertThrows(IllegalArgumentException.class, () -> settings(1, 101));
        settings(1, 5);
    }

    private static WwsSettings settings(long seconds, long intervalMillis) {
        return new WwsSettings(
                ByteSize.ofMebibytes(256),
                Accelerator.TCG,
                List.of(new GuestLoad(0)),
                Duration.ofSeconds(seconds),
                Duration.ofMillis(intervalMillis));
    }
}
