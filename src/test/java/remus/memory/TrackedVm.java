package remus.memory;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.function.LongPredicate;
import java.util.function.Predicate;
import remus.base.CloseStack;
import remus.base.EpochId;
import remus.checkpoint.StagedCheckpoint;
import remus.checkpoint.StagedPages;

/**
 * A VM whose memory goes, by checkpoints alone, into a second RAM file, so that the two can be compared: the memory's
 * part of a protection, without network or second host.
 */
final class TrackedVm implements AutoCloseable {
    private static final long LIMIT_BYTES = 512L << 20;
    private static final int CHUNK_PAGES = 4096;

    private final CloseStack resources = new CloseStack();
    final TestVm vm;
    final GuestMemory memory;
    final GuestMemory copy;
    final CountingTracker tracker;
    final GuestMemoryDevice device;
    private final StandbyMemory standby;
    private final StagedCheckpoint checkpoint;
    private final StagedPages chunk;
    private EpochId epoch = EpochId.NONE;
    private int copiedAheadCount;
    /** Pages that arrive at the standby; a test of the harness drops some. */
    LongPredicate arrives = page -> true;

    TrackedVm(TestVm vm, DirtyTracking.Choice choice, ResetStrategy strategy, Predicate<EpochId> digestWanted)
            throws Exception {
        this.vm = vm;
        boolean ready = false;
        try {
            memory = resources.push(GuestMemory.forReading(vm.ram()));
            SharedRamFile file = SharedRamFile.create(
                    Path.of(vm.ram().path() + "-standby"), vm.ram().bytes());
            resources.push(file::delete);
            copy = GuestMemory.forWriting(file);
            standby = resources.push(new StandbyMemory(copy));
            checkpoint = resources.push(
                    new StagedCheckpoint(new StagedPages(GuestMemory.PAGE_BYTES, LIMIT_BYTES), LIMIT_BYTES));
            chunk = resources.push(new StagedPages(GuestMemory.PAGE_BYTES, LIMIT_BYTES));
            tracker = new CountingTracker(
                    DirtyTracking.attach(vm.pid(), vm.ram().path(), vm.ram().bytes(), choice, strategy));
            device = new GuestMemoryDevice(memory, tracker, digestWanted);
            resources.push(device::abort);
            // A standby's memory may hold anything before the first copy.
            copy.segment().asSlice(0, 16 << 20).fill((byte) 0x5a);
            device.setup();
            ready = true;
        } finally {
            if (!ready) {
                resources.close();
            }
        }
    }

    /** Copies one round while the guest runs; returns how many pages it had. */
    long preCopyRound(int maxChunks) throws Exception {
        long pages = device.beginRound();
        boolean more = true;
        for (int i = 0; i < maxChunks && more; i++) {
            chunk.clear();
            more = device.copyChunk(chunk, CHUNK_PAGES);
            apply(chunk);
        }
        return pages;
    }

    /**
     * Stops the guest, takes a checkpoint and applies it; the guest stays stopped. Every second one is copied ahead, and
     * the guest then writes on before it is stopped.
     */
    StagedCheckpoint takeCheckpoint() throws Exception {
        EpochId next = epoch.next();
        checkpoint.begin(next, epoch.equals(EpochId.NONE));
        if (next.value() % 2 == 0 && device.copyAhead(checkpoint.pages())) {
            copiedAheadCount++;
            vm.awaitLoops(memory, 1);
        }
        device.suspending(next);
        vm.execute("stop");
        device.suspended(checkpoint);
        vm.saveDevices();
        device.saved(checkpoint);
        epoch = next;
        apply(checkpoint.pages());
        return checkpoint;
    }

    /** How many checkpoints were copied ahead so far. */
    int copiedAheadCount() {
        return copiedAheadCount;
    }

    void resume() throws Exception {
        vm.execute("cont");
        device.resumed(epoch);
    }

    private void apply(StagedPages pages) throws Exception {
        for (int run = 0; run < pages.runCount(); run++) {
            long first = pages.firstPage(run);
            int count = pages.pageCount(run);
            if (pages.isZero(run)) {
                standby.zero(first, count);
                continue;
            }
            for (int i = 0; i < count; i++) {
                if (arrives.test(first + i)) {
                    long offset = pages.dataOffset(run) + (long) i * GuestMemory.PAGE_BYTES;
                    standby.write(first + i, 1, pages.data(run), offset);
                }
            }
        }
    }

    /** The first page in which the standby's memory differs from the guest's, or -1; compares all of it. */
    long firstWrongPage() {
        long mismatch = MemorySegment.mismatch(memory.segment(), 0, memory.bytes(), copy.segment(), 0, copy.bytes());
        return mismatch < 0 ? -1 : mismatch / GuestMemory.PAGE_BYTES;
    }

    @Override
    public void close() {
        resources.close();
    }
}
