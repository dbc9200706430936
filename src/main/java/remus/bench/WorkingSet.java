package remus.bench;

import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import remus.memory.DirtyPages;

/**
 * Counts which pages are written within times of several lengths (Clark et al., NSDI 2005, section 4), from what is
 * collected in short intervals. A window ends with the interval that brings it nearest to its length, and the next one
 * of that length begins there. Confined to one thread.
 */
final class WorkingSet {
    private final long memoryPages;
    private final Duration interval;
    private final long beginNanos;
    private final List<Window> windows = new ArrayList<>();
    private final BitSet ever = new BitSet();
    private final Samples perInterval = new Samples();
    private final Samples intervalNanos = new Samples();
    private final List<Long> overTime = new ArrayList<>();
    private long lastNanos;

    /** The windows of one length. */
    private final class Window {
        private final Duration length;
        private final BitSet written = new BitSet();
        private final Samples pages = new Samples();
        private final Samples nanos = new Samples();
        private long windowBeginNanos = beginNanos;

        Window(Duration length) {
            this.length = length;
        }

        void add(long atNanos, DirtyPages collected) {
            mark(written, collected);
            long lasted = atNanos - windowBeginNanos;
            // An interval that ended a little early must not make it one longer.
            if (lasted + interval.toNanos() / 2 >= length.toNanos()) {
                pages.add(written.cardinality());
                nanos.add(lasted);
                written.clear();
                windowBeginNanos = atNanos;
            }
        }

        WwsCase.Window summary() {
            return new WwsCase.Window(
                    length.toMillis(),
                    nanos.micros(50) / 1e3,
                    pages.count(),
                    pages.percentile(0),
                    pages.percentile(50),
                    pages.percentile(100),
                    Math.rint(pages.percentile(50) * 10_000.0 / memoryPages) / 100);
        }
    }

    /** @param beginNanos when the pages began to be noted */
    WorkingSet(long memoryPages, Duration interval, List<Duration> lengths, long beginNanos) {
        this.memoryPages = memoryPages;
        this.interval = interval;
        this.beginNanos = beginNanos;
        this.lastNanos = beginNanos;
        for (Duration length : lengths) {
            windows.add(new Window(length));
        }
    }

    private static void mark(BitSet pages, DirtyPages collected) {
        for (int run = 0; run < collected.runCount(); run++) {
            int first = Math.toIntExact(collected.firstPage(run));
            pages.set(first, Math.toIntExact(first + collected.pageCount(run)));
        }
    }

    /** Adds the pages written since the last ones, or the beginning. */
    void add(long atNanos, DirtyPages collected) {
        mark(ever, collected);
        perInterval.add(collected.pageCount());
        overTime.add(collected.pageCount());
        intervalNanos.add(atNanos - lastNanos);
        lastNanos = atNanos;
        for (Window window : windows) {
            window.add(atNanos, collected);
        }
    }

    WwsCase summary(GuestLoad workload, long memoryBytes) {
        long typicalNanos = intervalNanos.percentile(50);
        return new WwsCase(
                workload.toString(),
                memoryBytes,
                interval.toMillis(),
                Math.rint((lastNanos - beginNanos) / 1e7) / 100,
                perInterval.percentile(0),
                perInterval.percentile(50),
                perInterval.percentile(99),
                perInterval.percentile(100),
                typicalNanos == 0 ? 0 : Math.round(perInterval.percentile(50) * 1e9 / typicalNanos),
                ever.cardinality(),
                windows.stream().map(Window::summary).toList(),
                overTime);
    }
}
