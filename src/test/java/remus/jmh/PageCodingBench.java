package remus.jmh;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
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
import remus.wire.CodedPages;
import remus.wire.PageCoder;
import remus.wire.WireException;

/** A frame of 256 pages, 1 MiB: coded against what was sent last, and read again. Divide 1,049 by the result for GB/s. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class PageCodingBench {
    private static final int PAGES = 256;

    @Param
    public PageContent content = PageContent.SPARSE;

    private final Arena arena = Arena.ofShared();
    private final PageCoder coder = new PageCoder(PageContent.PAGE_BYTES);
    private final CodedPages coded = new CodedPages(PAGES, PageContent.PAGE_BYTES);
    private MemorySegment base = MemorySegment.NULL;
    private MemorySegment pages = MemorySegment.NULL;
    private ByteBuffer payload = ByteBuffer.allocate(0);

    @Setup
    public void setUp() {
        base = PageContent.base(arena, PAGES);
        pages = content.changed(arena, base);
        payload = ByteBuffer.allocate(encode());
        coder.encodeHead(payload);
        payload.put(coder.body().asByteBuffer());
        System.out.printf("%s: %.1f : 1%n", content, PAGES * (double) PageContent.PAGE_BYTES / payload.capacity());
    }

    @TearDown
    public void tearDown() {
        arena.close();
    }

    /** Returns the bytes of the frame. */
    @Benchmark
    public int encode() {
        coder.begin();
        for (int page = 0; page < PAGES; page++) {
            long at = (long) page * PageContent.PAGE_BYTES;
            coder.add(page, pages, at, base, at);
        }
        return coder.finish();
    }

    @Benchmark
    public int decode() throws WireException {
        if (coder.count() == 0) {
            return 0; // nothing was sent
        }
        coded.decode(payload.rewind());
        for (int index = 0; index < coded.count(); index++) {
            coded.apply(index, base, coded.page(index) * PageContent.PAGE_BYTES);
        }
        return coded.count();
    }
}
