package remus.jmh;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.StagedPages;

/**
 * 1,024 pages, 4 MiB, from guest memory of 256 MiB into staging, in runs of some length that lie apart, beside the same
 * copied by nothing but {@code memcpy}. Divide 4,194 by the result for GB/s.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class StagingBench {
    private static final int PAGES = 1024;
    private static final int GUEST_PAGES = 65536;

    @Param({"1", "16", "1024"})
    public int runPages = 1;

    private final Arena arena = Arena.ofShared();
    private final StagedPages staged = new StagedPages(PageContent.PAGE_BYTES, 1L << 24);
    private final MemorySegment guest = arena.allocate((long) GUEST_PAGES * PageContent.PAGE_BYTES, 4096);
    private final MemorySegment target = arena.allocate((long) PAGES * PageContent.PAGE_BYTES, 4096);

    @Setup
    public void setUp() {
        guest.fill((byte) 1);
        target.fill((byte) 1);
    }

    @TearDown
    public void tearDown() {
        staged.close();
        arena.close();
    }

    private long firstPage(int run) {
        return (long) run * runPages * (GUEST_PAGES / PAGES);
    }

    @Benchmark
    public long staging() throws CheckpointException {
        staged.clear();
        for (int run = 0; run < PAGES / runPages; run++) {
            staged.append(firstPage(run), runPages, guest, firstPage(run) * PageContent.PAGE_BYTES);
        }
        return staged.pageCount();
    }

    @Benchmark
    public MemorySegment memcpy() {
        long bytes = (long) runPages * PageContent.PAGE_BYTES;
        for (int run = 0; run < PAGES / runPages; run++) {
            MemorySegment.copy(guest, firstPage(run) * PageContent.PAGE_BYTES, target, run * bytes, bytes);
        }
        return target;
    }
}
