package remus.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.base.Invariant;
import remus.wire.CodedPages;
import remus.wire.WireLimits;

/**
 * The backup's side of one protection session: collects a checkpoint's parts in staging, acknowledges it when all of it
 * is there (it is then <i>whole</i>), and only then applies it to the standby's memory and disks.
 *
 * <p>Invariants: what is applied is whole; epochs follow each other without a gap; epoch <i>e</i> is acknowledged only
 * when <i>e-1</i> has been applied to memory, and an activation calls {@link #finishApplying} first; the device state,
 * output frames, memory and disk writes that {@link #lastWhole} names belong to the same checkpoint. Pages of pre-copy
 * rounds and writes of the disks' synchronization are applied directly, for until the first checkpoint is whole there is
 * nothing to mix them with.
 *
 * <p>A whole checkpoint counts, whether it is acknowledged or not. While many disk writes wait for the images, the
 * acknowledgement is put off, so that the primary sends no more: {@link #acknowledgeWhatIsDue} is to be called when there
 * are fewer. The welcome of a new connection is an acknowledgement, too: {@link #resume} says which epoch it may name.
 * Whole checkpoints after that one come again and are counted, but not used: they are here already.
 *
 * <p>Everything that comes in is checked against what the checkpoint's own frames announced; a contradiction is a
 * {@link CheckpointException}, after which the owner drops the connection and calls {@link #dropPartial}. Confined to
 * the backup's agent thread.
 */
public final class CheckpointReceiver implements AutoCloseable {
    /** Where acknowledgements and results go, on the agent's thread. */
    public interface Listener {
        /**
         * The primary is to know that the backup holds {@code epoch}, and all before it, whole: called before the checkpoint
         * is applied where nothing stands against it, else later.
         */
        void acknowledge(EpochId epoch);

        /** The backup holds {@code epoch} whole. Called before the checkpoint is applied. */
        void whole(EpochId epoch);

        /** Memory digests of both sides were compared for {@code epoch}. */
        void verified(EpochId epoch, boolean equal);
    }

    /** A page written while QEMU saves its devices is taken twice, hence twice the guest's memory as a limit. */
    private static final int MAX_COPIES_PER_PAGE = 2;

    private final BackupMemory memory;
    private final BackupDisks disks;
    private final int pageBytes;
    private final long maxPageCount;
    private final InboundMirror inbound;
    private final FrameRing heldOutput;
    private final Listener listener;
    // The one being received and the last whole one: its device state has to outlive the reception of the next.
    private StagedCheckpoint receiving;
    private StagedCheckpoint whole;
    private boolean isReceiving;
    private boolean isApplied = true;
    private EpochId lastWhole = EpochId.NONE;
    private EpochId acknowledged = EpochId.NONE;
    // Of the present connection: the last checkpoint that has ended, and the last epoch of which disk writes came.
    // While
    // the first is before the last whole one, what comes is here already.
    private EpochId lastEnded = EpochId.NONE;
    private EpochId lastDiskEpoch = EpochId.NONE;
    private EpochId released = EpochId.NONE;
    private long preCopyPageCount;

    public CheckpointReceiver(
            BackupMemory memory,
            BackupDisks disks,
            int pageBytes,
            long outputLimitBytes,
            InboundMirror inbound,
            Listener listener) {
        this.memory = memory;
        this.disks = disks;
        this.pageBytes = pageBytes;
        this.maxPageCount = MAX_COPIES_PER_PAGE * memory.pageCount();
        this.inbound = inbound;
        this.listener = listener;
        this.heldOutput = new FrameRing(2 * outputLimitBytes);
        long limitBytes = maxPageCount * pageBytes;
        this.receiving = new StagedCheckpoint(new StagedPages(pageBytes, limitBytes), 2 * outputLimitBytes);
        this.whole = new StagedCheckpoint(new StagedPages(pageBytes, limitBytes), 2 * outputLimitBytes);
    }

    /** Pages of a pre-copy round. */
    public void preCopyPages(long firstPage, int count, MemorySegment data, long offset) throws CheckpointException {
        expectNoWholeCheckpoint();
        checkRange(firstPage, count);
        checkData(count, data, offset);
        memory.write(firstPage, count, data, offset);
        preCopyPageCount += count;
    }

    /** Zero pages of a pre-copy round. */
    public void preCopyZeroPages(long firstPage, int count) throws CheckpointException {
        expectNoWholeCheckpoint();
        checkRange(firstPage, count);
        memory.zero(firstPage, count);
        preCopyPageCount += count;
    }

    /** Coded pages of a pre-copy round: what they differ from is memory as all before them has left it. */
    public void preCopyCodedPages(CodedPages pages) throws CheckpointException {
        expectNoWholeCheckpoint();
        StagedPages unused = receiving.pages();
        for (int index = 0; index < pages.count(); index++) {
            checkRange(pages.page(index), 1);
            unused.clear();
            compose(pages, index, unused);
            memory.write(pages.page(index), 1, unused.data(0), unused.dataOffset(0));
        }
        unused.clear();
        preCopyPageCount += pages.count();
    }

    private void expectNoWholeCheckpoint() throws CheckpointException {
        if (!lastWhole.equals(EpochId.NONE) || isReceiving) {
            throw protocolError("pre-copy pages after checkpoint epoch=" + lastWhole);
        }
    }

    /**
     * A write to a disk.
     *
     * @param epoch the epoch in which the guest made it; {@link EpochId#NONE}: it belongs to the synchronization
     */
    public void diskWrite(
            EpochId epoch,
            int disk,
            DiskOperation operation,
            long offset,
            long length,
            MemorySegment data,
            long dataOffset)
            throws CheckpointException {
        checkDiskRange(disk, offset, length);
        if (operation == DiskOperation.WRITE) {
            checkDiskData(length, data, dataOffset);
        }
        if (epoch.equals(EpochId.NONE)) {
            expectDiskSynchronization();
            disks.synchronize(disk, operation, offset, length, data, dataOffset);
            return;
        }
        long ahead = epoch.value() - lastEnded.value();
        if (ahead < 1 || ahead > WireLimits.MAX_DISK_EPOCHS_AHEAD || lastDiskEpoch.isAfter(epoch)) {
            throw protocolError("a disk write of epoch=%s, last ended=%s last written=%s"
                    .formatted(epoch, lastEnded, lastDiskEpoch));
        }
        lastDiskEpoch = epoch;
        if (epoch.isAfter(lastWhole)) {
            disks.receive(epoch, disk, operation, offset, length, data, dataOffset);
        }
    }

    private void expectDiskSynchronization() throws CheckpointException {
        if (!lastWhole.equals(EpochId.NONE) || isReceiving || !lastDiskEpoch.equals(EpochId.NONE)) {
            throw protocolError("a disk write without an epoch after checkpoint epoch=" + lastWhole);
        }
    }

    /** A checkpoint begins; it must be the one after the last that has ended on this connection. */
    public void begin(EpochId epoch, boolean first, long inboundMark) throws CheckpointException {
        if (isReceiving) {
            throw protocolError("checkpoint epoch=" + epoch + " begins within epoch=" + receiving.epoch());
        }
        if (!epoch.equals(lastEnded.next())) {
            throw protocolError("checkpoint epoch=" + epoch + " expected=" + lastEnded.next());
        }
        if (inboundMark < 0) {
            throw protocolError("checkpoint epoch=" + epoch + " has the inbound mark " + inboundMark);
        }
        if (first != lastEnded.equals(EpochId.NONE)) {
            throw protocolError("checkpoint epoch=" + epoch + " is marked first=" + first);
        }
        receiving.begin(epoch, first);
        receiving.setInboundMark(inboundMark);
        isReceiving = true;
    }

    /** Whether the checkpoint that has just begun is of a guest that is kept paused. */
    public void setStill(boolean still) {
        receiving.setStill(still);
    }

    /** The time of this host's clock that the guest's shows in the checkpoint that has just begun. */
    public void setGuestClock(long hostNanos) {
        receiving.setGuestClock(hostNanos);
    }

    public void pages(EpochId epoch, long firstPage, int count, MemorySegment data, long offset)
            throws CheckpointException {
        expectReceiving(epoch);
        checkRange(firstPage, count);
        checkData(count, data, offset);
        checkPageCount(count);
        receiving.pages().append(firstPage, count, data, offset);
    }

    /**
     * Pages that are told by how they differ from the last whole checkpoint's. That has to be in memory for it: where it could
     * not be applied it is tried once more, and this fails rather than build on anything else.
     */
    public void codedPages(EpochId epoch, CodedPages pages) throws CheckpointException {
        expectReceiving(epoch);
        applyMemory();
        checkPageCount(pages.count());
        for (int index = 0; index < pages.count(); index++) {
            checkRange(pages.page(index), 1);
            compose(pages, index, receiving.pages());
        }
    }

    private void compose(CodedPages pages, int index, StagedPages target) throws CheckpointException {
        int offset = target.appendBlank(pages.page(index));
        MemorySegment data = target.data(target.runCount() - 1);
        if (pages.hasBase(index)) {
            memory.read(pages.page(index), data, offset);
        } else {
            data.asSlice(offset, pageBytes).fill((byte) 0);
        }
        pages.apply(index, data, offset);
    }

    public void zeroPages(EpochId epoch, long firstPage, int count) throws CheckpointException {
        expectReceiving(epoch);
        checkRange(firstPage, count);
        checkPageCount(count);
        receiving.pages().appendZero(firstPage, count);
    }

    /** A further piece of the device state, which must continue where the last one ended. */
    public void deviceState(EpochId epoch, long position, MemorySegment data, long offset, int length)
            throws CheckpointException {
        expectReceiving(epoch);
        if (position != receiving.deviceState().size()) {
            throw protocolError("device state at " + position + " expected="
                    + receiving.deviceState().size());
        }
        receiving.deviceState().append(data, offset, length);
    }

    /** One frame that the guest sent in the epoch. */
    public void outputFrame(EpochId epoch, MemorySegment data, long offset, int length) throws CheckpointException {
        expectReceiving(epoch);
        if (length <= 0 || length > FrameRing.MAX_FRAME_BYTES) {
            throw protocolError("output frame of " + length + " bytes");
        }
        StagedBytes frames = receiving.outputFrames();
        MemorySegment target = frames.reserve(Integer.BYTES);
        target.set(JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN), frames.size(), length);
        frames.advance(Integer.BYTES);
        frames.append(data, offset, length);
        receiving.countOutputFrame();
    }

    /**
     * The checkpoint is complete if its parts are as many as announced here: acknowledges, then applies it.
     *
     * <p>Where applying fails the checkpoint stays acknowledged and the last whole one; nothing is acknowledged after it
     * until {@link #finishApplying} has succeeded, which is tried again with each checkpoint.
     *
     * @param diskWrites what was written to the disks in the epoch
     * @param memoryDigest SHA-256 of the primary's guest RAM at the pause, to be compared, or null
     */
    public void end(
            EpochId epoch,
            long pageCount,
            long deviceStateBytes,
            int outputFrameCount,
            DiskWriteCount diskWrites,
            byte @Nullable [] memoryDigest)
            throws CheckpointException {
        expectReceiving(epoch);
        if (receiving.pages().pageCount() != pageCount
                || receiving.deviceState().size() != deviceStateBytes
                || receiving.outputFrameCount() != outputFrameCount
                || deviceStateBytes == 0) {
            throw protocolError("checkpoint epoch=%s has pages=%d state=%d frames=%d expected=%d,%d,%d"
                    .formatted(
                            epoch,
                            receiving.pages().pageCount(),
                            receiving.deviceState().size(),
                            receiving.outputFrameCount(),
                            pageCount,
                            deviceStateBytes,
                            outputFrameCount));
        }
        if (!epoch.isAfter(lastWhole)) {
            isReceiving = false;
            lastEnded = epoch;
            acknowledgeWhatIsDue();
            return;
        }
        DiskWriteCount received = disks.received(epoch);
        if (!received.equals(diskWrites)) {
            throw protocolError("checkpoint epoch=%s has %s, expected %s".formatted(epoch, received, diskWrites));
        }
        applyMemory();
        StagedCheckpoint previous = whole;
        whole = receiving;
        receiving = previous;
        isReceiving = false;
        isApplied = false;
        lastWhole = epoch;
        lastEnded = epoch;
        disks.whole(epoch);
        inbound.trim(whole.inboundMark());
        keepOutput();
        acknowledgeWhatIsDue();
        listener.whole(epoch);
        applyMemory();
        if (memoryDigest != null) {
            listener.verified(epoch, Arrays.equals(memoryDigest, memory.digest()));
        }
    }

    /**
     * Acknowledges the last checkpoint that has come to its end if that has not been done and few enough disk writes wait
     * for the images. The owner calls it when there are fewer than before.
     */
    public void acknowledgeWhatIsDue() {
        if (lastEnded.isAfter(acknowledged) && disks.mayAcknowledge()) {
            acknowledged = lastEnded;
            listener.acknowledge(lastEnded);
        }
    }

    /**
     * Applies what an earlier attempt has failed to, and waits for the disks: then memory and disks are those of the last
     * whole checkpoint. For an activation; may be tried again after a failure.
     */
    public void finishApplying() throws CheckpointException {
        applyMemory();
        disks.finishApplying();
    }

    /**
     * Gives back the memory of the pages in staging, which {@link #finishApplying} has applied: for an activation, after
     * which no checkpoint is received.
     */
    public void releasePages() {
        Invariant.check(isApplied, "pages of epoch=%s are not applied yet", lastWhole);
        isReceiving = false;
        receiving.pages().close();
        whole.pages().close();
    }

    /** Applies the last whole checkpoint unless that is done: all of it again, for its pages are complete. */
    private void applyMemory() throws CheckpointException {
        if (isApplied) {
            return;
        }
        StagedPages pages = whole.pages();
        for (int run = 0; run < pages.runCount(); run++) {
            if (pages.isZero(run)) {
                memory.zero(pages.firstPage(run), pages.pageCount(run));
            } else {
                memory.write(pages.firstPage(run), pages.pageCount(run), pages.data(run), pages.dataOffset(run));
            }
        }
        isApplied = true;
    }

    private void keepOutput() {
        StagedBytes frames = whole.outputFrames();
        long at = 0;
        while (at < frames.size()) {
            int length = frames.segment().get(JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN), at);
            at += Integer.BYTES;
            while (!heldOutput.offer(lastWhole.value(), frames.segment(), at, length)) {
                // Only when the primary reports no release for long: the oldest have most likely left.
                heldOutput.removeHead();
            }
            at += length;
        }
    }

    /** The primary has released the output of all epochs up to {@code epoch}. */
    public void releasedUpTo(EpochId epoch) throws CheckpointException {
        if (epoch.isAfter(lastWhole)) {
            throw protocolError("released epoch=" + epoch + " but the last whole one is " + lastWhole);
        }
        if (epoch.isAfter(released)) {
            released = epoch;
        }
        while (!heldOutput.isEmpty() && heldOutput.headTag() <= epoch.value()) {
            heldOutput.removeHead();
        }
    }

    /** A frame that the primary has handed to the guest. */
    public void inboundFrame(long sequence, MemorySegment data, long offset, int length) throws CheckpointException {
        if (length <= 0 || length > FrameRing.MAX_FRAME_BYTES) {
            throw protocolError("inbound frame of " + length + " bytes");
        }
        if (sequence < 0 || sequence == Long.MAX_VALUE) {
            throw protocolError("inbound frame with the sequence number " + sequence);
        }
        inbound.add(sequence, data, offset, length);
    }

    /** The connection is lost: what has come of an unfinished checkpoint is worth nothing. */
    public void dropPartial() {
        isReceiving = false;
        disks.dropAfter(lastWhole);
        lastEnded = acknowledged;
        lastDiskEpoch = EpochId.NONE;
    }

    /**
     * A new connection takes the place of the last one, whose partial checkpoint is dropped. Returns the epoch that its
     * welcome is to name: the last whole one, or, while too many disk writes wait for the images, the last acknowledged.
     *
     * @return null when the first checkpoint is whole and may not be acknowledged: a welcome would have to name it, or say
     *     that there is no image, which is not true; so the connection is refused, and the primary comes again
     */
    public @Nullable EpochId resume() {
        dropPartial();
        if (lastWhole.isAfter(acknowledged) && disks.mayAcknowledge()) {
            acknowledged = lastWhole;
            lastEnded = lastWhole;
        }
        boolean onlyTheFirst = acknowledged.equals(EpochId.NONE) && lastWhole.isAfter(EpochId.NONE);
        return onlyTheFirst ? null : acknowledged;
    }

    /** The last whole checkpoint, or {@link EpochId#NONE}: the one that an activation starts from. */
    public EpochId lastWhole() {
        return lastWhole;
    }

    /** The device state of {@link #lastWhole}; there must be one. */
    public StagedBytes deviceState() {
        Invariant.check(lastWhole.isAfter(EpochId.NONE), "no checkpoint is whole");
        return whole.deviceState();
    }

    /** Whether the guest of {@link #lastWhole} is kept paused, by command. */
    public boolean isStill() {
        return whole.isStill();
    }

    /** The time of this host's clock that the guest's shows in {@link #lastWhole}. */
    public long guestClockNanos() {
        return whole.guestClockNanos();
    }

    /** Hands out the frames of whole epochs that the primary has not reported as released, in order. */
    public void drainHeldOutput(OutputBuffer.Sink sink) {
        while (!heldOutput.isEmpty()) {
            heldOutput.take((epoch, data, offset, length) -> sink.frame(data, offset, length));
        }
    }

    public EpochId released() {
        return released;
    }

    /** Pages received in pre-copy rounds so far, for progress. */
    public long preCopyPageCount() {
        return preCopyPageCount;
    }

    private void expectReceiving(EpochId epoch) throws CheckpointException {
        if (!isReceiving || !receiving.epoch().equals(epoch)) {
            throw protocolError("part of epoch=" + epoch + " outside of its checkpoint, last whole=" + lastWhole);
        }
    }

    private void checkRange(long firstPage, int count) throws CheckpointException {
        if (firstPage < 0 || count <= 0 || firstPage > memory.pageCount() - count) {
            throw protocolError(
                    "pages %d+%d are outside of guest RAM of %d pages".formatted(firstPage, count, memory.pageCount()));
        }
    }

    private void checkData(int count, MemorySegment data, long offset) throws CheckpointException {
        if (offset < 0 || (long) count * pageBytes > data.byteSize() - offset) {
            throw protocolError("%d pages do not lie in %d bytes from %d on".formatted(count, data.byteSize(), offset));
        }
    }

    private void checkPageCount(int count) throws CheckpointException {
        if (receiving.pages().pageCount() > maxPageCount - count) {
            throw protocolError(
                    "checkpoint epoch=%s has more than %d pages".formatted(receiving.epoch(), maxPageCount));
        }
    }

    private void checkDiskRange(int disk, long offset, long length) throws CheckpointException {
        if (disk < 0 || disk >= disks.count()) {
            throw protocolError("a write to disk %d of a VM with %d disks".formatted(disk, disks.count()));
        }
        long bytes = disks.bytes(disk);
        if (offset < 0 || length <= 0 || length > bytes || offset > bytes - length) {
            throw protocolError("a write of %d bytes at %d is outside of disk %d with %d bytes"
                    .formatted(length, offset, disk, bytes));
        }
    }

    private static void checkDiskData(long length, MemorySegment data, long dataOffset) throws CheckpointException {
        if (length > DiskForwarding.MAX_WRITE_BYTES || dataOffset < 0 || length > data.byteSize() - dataOffset) {
            throw protocolError("a disk write of %d bytes does not lie in %d bytes from %d on"
                    .formatted(length, data.byteSize(), dataOffset));
        }
    }

    private static CheckpointException protocolError(String message) {
        return new CheckpointException(ErrorCategory.RETRY, message, null);
    }

    @Override
    public void close() {
        receiving.close();
        whole.close();
        heldOutput.close();
        inbound.close();
    }
}
