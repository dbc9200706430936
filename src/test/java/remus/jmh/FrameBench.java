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
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import remus.base.EpochId;
import remus.base.Term;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.OutgoingPages;
import remus.checkpoint.StagedPages;
import remus.wire.FrameEncoder;
import remus.wire.FrameHeader;
import remus.wire.FrameType;
import remus.wire.PageRuns;
import remus.wire.WireException;
import remus.wire.WireLimits;

/** A frame of 256 single pages as they are, 1 MiB: made with its checksum, and checked and read again. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class FrameBench {
    private static final int PAGES = 256;
    private static final EpochId EPOCH = new EpochId(42);

    private final Arena arena = Arena.ofShared();
    private final StagedPages staged = new StagedPages(PageContent.PAGE_BYTES, 1L << 24);
    private final OutgoingPages outgoing = new OutgoingPages(PageContent.PAGE_BYTES, 2 * PAGES, PAGES);
    private final FrameEncoder encoder = new FrameEncoder(new Term(3));
    private final PageRuns runs = new PageRuns(2 * PAGES, PageContent.PAGE_BYTES);
    private final ByteBuffer head = ByteBuffer.allocateDirect(64 << 10);
    private final ByteBuffer[] parts = new ByteBuffer[1 + PAGES];
    private int partCount;
    private MemorySegment frameMemory = MemorySegment.NULL;
    private ByteBuffer frame = ByteBuffer.allocate(0);

    @Setup
    public void setUp() throws CheckpointException {
        MemorySegment pages = PageContent.base(arena, PAGES);
        for (int page = 0; page < PAGES; page++) {
            staged.append(2L * page, 1, pages, (long) page * PageContent.PAGE_BYTES);
        }
        encode();
        int bytes = 0;
        for (int i = 0; i < partCount; i++) {
            bytes += parts[i].remaining();
        }
        frameMemory = arena.allocate(bytes);
        frame = frameMemory.asByteBuffer();
        for (int i = 0; i < partCount; i++) {
            frame.put(parts[i].duplicate());
        }
    }

    @TearDown
    public void tearDown() {
        staged.close();
        outgoing.close();
        arena.close();
    }

    @Benchmark
    public int encode() {
        outgoing.start(staged, false);
        parts[0] = FrameEncoder.begin(head);
        partCount = 1;
        FrameType type = outgoing.next(
                head,
                (memory, offset, length) ->
                        parts[partCount++] = memory.asSlice(offset, length).asByteBuffer());
        if (type == null) {
            throw new IllegalStateException("no frame");
        }
        encoder.finish(type, EPOCH, parts, partCount);
        return partCount;
    }

    @Benchmark
    public long decode() throws WireException {
        FrameHeader header = FrameHeader.decode(frame, 0);
        header.verify(frame, 0);
        runs.decode(frame.limit(frame.capacity()).position(WireLimits.HEADER_BYTES), frameMemory);
        return runs.pageCount();
    }
}
