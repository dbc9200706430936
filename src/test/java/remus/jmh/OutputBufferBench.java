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
import remus.base.EpochId;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.OutputBuffer;
import remus.checkpoint.StagedCheckpoint;
import remus.checkpoint.StagedPages;

/** The output of an epoch: frames are offered, sealed into a checkpoint, and released. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class OutputBufferBench {
    @Param({"4", "256"})
    public int frames = 4;

    @Param({"66", "1514"})
    public int frameBytes = 66;

    private final Arena arena = Arena.ofShared();
    private final MemorySegment frame = arena.allocate(2048);
    private final OutputBuffer buffer = new OutputBuffer(16 << 20);
    private final StagedCheckpoint checkpoint =
            new StagedCheckpoint(new StagedPages(PageContent.PAGE_BYTES, 1 << 20), 16 << 20);
    private EpochId epoch = new EpochId(1);
    private long released;

    @Setup
    public void setUp() {
        buffer.hold(epoch);
    }

    @TearDown
    public void tearDown() {
        buffer.close();
        checkpoint.close();
        arena.close();
    }

    @Benchmark
    public long offerSealRelease() throws CheckpointException {
        for (int i = 0; i < frames; i++) {
            buffer.offer(frame, 0, frameBytes);
        }
        checkpoint.begin(epoch, false);
        buffer.seal(checkpoint);
        buffer.release(epoch, (data, offset, length) -> released += length);
        epoch = epoch.next();
        return released;
    }
}
