package remus.checkpoint;

import org.jspecify.annotations.Nullable;
import remus.base.EpochId;

/**
 * One checkpoint in local memory, between the guest's pause and the backup's acknowledgement: pages, device state, the
 * frames that the guest sent in the epoch, and where the mirrored input stands. The engine fills it in the pause;
 * afterwards it is read-only until the engine takes it back, so the channel may read it from its own thread.
 */
public final class StagedCheckpoint implements AutoCloseable {
    /** Most device state that a checkpoint may have, in bytes; QEMU's largest measured here is below 200 KiB. */
    public static final long MAX_DEVICE_STATE_BYTES = 64L << 20;

    private final StagedPages pages;
    private final StagedBytes deviceState = new StagedBytes(MAX_DEVICE_STATE_BYTES);
    private final StagedBytes outputFrames;
    private EpochId epoch = EpochId.NONE;
    private boolean first;
    private boolean still;
    private int outputFrameCount;
    private long inboundMark;
    private long guestClockNanos;
    private DiskWriteCount diskWrites = DiskWriteCount.NONE;
    private byte @Nullable [] memoryDigest;

    /**
     * @param pages the buffer for pages, owned by this object from now on
     * @param outputLimitBytes the most output of one epoch, as bounded by the output buffer
     */
    public StagedCheckpoint(StagedPages pages, long outputLimitBytes) {
        this.pages = pages;
        this.outputFrames = new StagedBytes(outputLimitBytes);
    }

    /** Empties it for the checkpoint that ends {@code epoch}; {@code first}: the session's first full one. */
    public void begin(EpochId epoch, boolean first) {
        this.epoch = epoch;
        this.first = first;
        still = false;
        pages.clear();
        deviceState.clear();
        outputFrames.clear();
        outputFrameCount = 0;
        inboundMark = 0;
        guestClockNanos = 0;
        diskWrites = DiskWriteCount.NONE;
        memoryDigest = null;
    }

    public EpochId epoch() {
        return epoch;
    }

    /** Whether this checkpoint completes the synchronization: with it the backup has a whole image for the first time. */
    public boolean first() {
        return first;
    }

    /** Whether the guest is kept paused, by command: so it is after an activation, too. */
    public boolean isStill() {
        return still;
    }

    public void setStill(boolean keptPaused) {
        still = keptPaused;
    }

    public StagedPages pages() {
        return pages;
    }

    /** The stream that QEMU's {@code xen-save-devices-state} wrote. */
    public StagedBytes deviceState() {
        return deviceState;
    }

    /** The frames that the guest sent in the epoch, each a big-endian 32-bit length and its bytes. */
    public StagedBytes outputFrames() {
        return outputFrames;
    }

    public int outputFrameCount() {
        return outputFrameCount;
    }

    public void countOutputFrame() {
        outputFrameCount++;
    }

    /** Sequence number of the first mirrored inbound frame whose effect this checkpoint may not contain. */
    public long inboundMark() {
        return inboundMark;
    }

    public void setInboundMark(long sequence) {
        inboundMark = sequence;
    }

    /** The time of this host's clock at which the guest's would be right: as it goes on, what lies between is its lag. */
    public long guestClockNanos() {
        return guestClockNanos;
    }

    public void setGuestClock(long hostNanos) {
        guestClockNanos = hostNanos;
    }

    /** What the guest wrote to its disks in the epoch; the writes themselves were forwarded as they happened. */
    public DiskWriteCount diskWrites() {
        return diskWrites;
    }

    public void setDiskWrites(DiskWriteCount count) {
        diskWrites = count;
    }

    /** SHA-256 of the whole guest RAM at the pause, where verification was asked for. */
    public byte @Nullable [] memoryDigest() {
        return memoryDigest;
    }

    public void setMemoryDigest(byte[] digest) {
        memoryDigest = digest;
    }

    @Override
    public void close() {
        pages.close();
        deviceState.close();
        outputFrames.close();
    }
}
