package remus.disk;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;

/**
 * A disk in memory that notes what is asked of it. A test may hold operations up, as a disk or a way to the backup that
 * has no room does, and have them fail. Its second half is a hole as long as nothing is written there.
 */
final class MemoryExport implements NbdExport {
    private static final int NONE = -1;

    private final String name;
    private final MemorySegment content;
    private final List<String> calls = new CopyOnWriteArrayList<>();
    private final AtomicInteger held = new AtomicInteger();
    private volatile CountDownLatch writeGate = new CountDownLatch(0);
    private volatile CountDownLatch flushGate = new CountDownLatch(0);
    private volatile boolean readsWait;
    private volatile int failure = NONE;
    private volatile boolean broken;
    private volatile @Nullable Error defect;
    private volatile long written;

    MemoryExport(String name, long bytes) {
        this.name = name;
        content = Arena.ofAuto().allocate(bytes);
        written = bytes / 2;
    }

    /** What was asked so far, reads left out. */
    List<String> calls() {
        return calls;
    }

    /** Operations that wait now. */
    int heldCount() {
        return held.get();
    }

    /** From here on writes wait until {@link #letWritesGo}. */
    void holdWrites() {
        writeGate = new CountDownLatch(1);
    }

    void letWritesGo() {
        writeGate.countDown();
    }

    /** From here on flushes wait until {@link #letFlushesGo}. */
    void holdFlushes() {
        flushGate = new CountDownLatch(1);
    }

    void letFlushesGo() {
        flushGate.countDown();
    }

    /** Reads can't be done without waiting any more. */
    void makeReadsWait() {
        readsWait = true;
    }

    /** Every operation fails with {@code errno}, which may be 0 as where the system has not said one. */
    void failWith(int errno) {
        failure = errno;
    }

    void succeedAgain() {
        failure = NONE;
    }

    /** Every operation fails as only a defect of ours can. */
    void breakDown() {
        broken = true;
    }

    /** Every operation finds an invariant broken. */
    void breakDown(Error error) {
        defect = error;
    }

    byte[] content(long offset, int length) {
        return content.asSlice(offset, length).toArray(JAVA_BYTE);
    }

    private void begin(@Nullable CountDownLatch gate) throws DiskException {
        Error error = defect;
        if (error != null) {
            throw error;
        }
        if (broken) {
            throw new IllegalStateException("broken by the test");
        }
        if (gate != null && gate.getCount() > 0) {
            held.incrementAndGet();
            try {
                if (!gate.await(60, TimeUnit.SECONDS)) {
                    throw new AssertionError("the test forgot to let the operation go");
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } finally {
                held.decrementAndGet();
            }
        }
        if (failure != NONE) {
            throw new DiskException(ErrorCategory.DEGRADE, "the test wants it so", failure, null);
        }
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public long bytes() {
        return content.byteSize();
    }

    @Override
    public boolean readNow(long offset, MemorySegment target, long at, long length) throws DiskException {
        if (readsWait) {
            return false;
        }
        read(offset, target, at, length);
        return true;
    }

    @Override
    public void read(long offset, MemorySegment target, long at, long length) throws DiskException {
        begin(null);
        MemorySegment.copy(content, offset, target, at, length);
    }

    @Override
    public void write(long offset, MemorySegment source, long at, long length, boolean durable) throws DiskException {
        begin(writeGate);
        MemorySegment.copy(source, at, content, offset, length);
        written = Math.max(written, offset + length);
        calls.add("write " + offset + " " + length + (durable ? " durable" : ""));
    }

    @Override
    public void flush() throws DiskException {
        begin(flushGate);
        calls.add("flush");
    }

    @Override
    public void trim(long offset, long length, boolean durable) throws DiskException {
        begin(null);
        content.asSlice(offset, length).fill((byte) 0);
        calls.add("trim " + offset + " " + length + (durable ? " durable" : ""));
    }

    @Override
    public void zero(long offset, long length, boolean mayTrim, boolean durable) throws DiskException {
        begin(null);
        content.asSlice(offset, length).fill((byte) 0);
        calls.add("zero " + offset + " " + length + (mayTrim ? " may trim" : "") + (durable ? " durable" : ""));
    }

    @Override
    public long nextData(long offset) {
        return offset < written ? offset : bytes();
    }

    @Override
    public long nextHole(long offset) {
        return Math.max(offset, written);
    }
}
