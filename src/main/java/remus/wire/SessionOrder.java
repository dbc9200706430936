package remus.wire;

import java.util.List;
import remus.base.EpochId;
import remus.base.Invariant;

/**
 * Checks, on the backup, that the frames of one connection come in an order that makes sense and that each checkpoint is
 * complete when its end says so. Pure; confined to the thread that reads the connection. Every method named after a
 * frame throws a {@link WireException} when that frame does not fit, after which the connection is over.
 *
 * <p>Phases and what leads out of them:
 * <ul>
 *   <li>GREETING: nothing may come. {@link #welcomed}: a resumed session goes on to FLOWING, a new one to FILES or,
 *       with no file wanted, to PREPARING.
 *   <li>FILES: the wanted files, in the order in which they were asked for. The last byte of the last: PREPARING.
 *   <li>PREPARING: {@link #readied}: FLOWING.
 *   <li>FLOWING: pre-copy pages and the synchronization of disks until the session's first checkpoint. CHECKPOINT_BEGIN
 *       of the next epoch: CHECKPOINT.
 *   <li>CHECKPOINT: its parts. CHECKPOINT_END with the right counts: FLOWING.
 *   <li>SIGN_OFF in any phase but GREETING: ENDED, where nothing may come.
 * </ul>
 * Heartbeats and the guest's death may come in all phases but GREETING and ENDED, mirrored input, releases and disk
 * writes in FLOWING and CHECKPOINT, the order to take over there too, once a checkpoint has ended. The epochs of disk
 * writes never go back and are at most {@link WireLimits#MAX_DISK_EPOCHS_AHEAD} after the last that has ended; all writes
 * of an epoch come before its end.
 */
public final class SessionOrder {
    /** Where a connection stands. */
    public enum Phase {
        GREETING,
        FILES,
        PREPARING,
        FLOWING,
        CHECKPOINT,
        ENDED
    }

    private Phase phase = Phase.GREETING;
    private boolean resumed;
    private List<HelloFile> wantedFiles = List.of();
    private int fileIndex;
    private long fileOffset;
    private EpochId lastEnded = EpochId.NONE;
    private EpochId current = EpochId.NONE;
    private long pageCount;
    private long deviceStateBytes;
    private long deviceStateTotalBytes;
    private long outputFrameCount;
    private long nextInboundSequence;
    private EpochId lastDiskEpoch = EpochId.NONE;
    // Of the epoch after the last ended and those after it, which have a place each.
    private final long[] diskWriteCounts = new long[WireLimits.MAX_DISK_EPOCHS_AHEAD];
    private final long[] diskWriteBytes = new long[WireLimits.MAX_DISK_EPOCHS_AHEAD];

    public Phase phase() {
        return phase;
    }

    /** The last epoch whose checkpoint is complete here, by this connection or, when resumed, before it. */
    public EpochId lastEnded() {
        return lastEnded;
    }

    /** The backup takes the session, which goes on after {@code lastWhole} when it is resumed. */
    public void welcomed(Hello.Mode mode, EpochId lastWhole, List<HelloFile> wanted) {
        Invariant.check(phase == Phase.GREETING, "a second welcome");
        lastEnded = lastWhole;
        wantedFiles = List.copyOf(wanted);
        switch (mode) {
            case NEW -> phase = wanted.isEmpty() ? Phase.PREPARING : Phase.FILES;
            case RESUME -> {
                resumed = true;
                phase = Phase.FLOWING;
            }
        }
    }

    /** The backup can take pages. */
    public void readied() {
        Invariant.check(phase == Phase.PREPARING, "ready in phase %s", phase);
        phase = Phase.FLOWING;
    }

    public void fileData(String name, long offset, int bytes) throws WireException {
        require(phase == Phase.FILES, FrameType.FILE_DATA);
        HelloFile file = wantedFiles.get(fileIndex);
        if (!file.name().equals(name) || offset != fileOffset || bytes > file.bytes() - offset) {
            throw WireException.corrupt("file data name=%s offset=%d bytes=%d, expected name=%s offset=%d size=%d"
                    .formatted(name, offset, bytes, file.name(), fileOffset, file.bytes()));
        }
        if (bytes == 0 && file.bytes() > 0) {
            throw WireException.corrupt("file data name=" + name + " without a byte");
        }
        fileOffset += bytes;
        if (fileOffset == file.bytes()) {
            fileOffset = 0;
            fileIndex++;
            if (fileIndex == wantedFiles.size()) {
                phase = Phase.PREPARING;
            }
        }
    }

    public void pages(FrameType type, EpochId epoch, long pages) throws WireException {
        boolean preCopy = phase == Phase.FLOWING && epoch.equals(EpochId.NONE) && isBeforeFirst();
        boolean ofCheckpoint = phase == Phase.CHECKPOINT && epoch.equals(current);
        if (!preCopy && !ofCheckpoint) {
            throw outOfOrder(type, epoch);
        }
        pageCount += pages;
    }

    public void checkpointBegin(EpochId epoch, CheckpointBegin begin) throws WireException {
        if (phase != Phase.FLOWING || !epoch.equals(lastEnded.next())) {
            throw outOfOrder(FrameType.CHECKPOINT_BEGIN, epoch);
        }
        if (begin.first() != isBeforeFirst()) {
            throw WireException.corrupt("checkpoint epoch=" + epoch + " says first=" + begin.first());
        }
        phase = Phase.CHECKPOINT;
        current = epoch;
        pageCount = 0;
        deviceStateBytes = 0;
        deviceStateTotalBytes = 0;
        outputFrameCount = 0;
    }

    public void deviceState(EpochId epoch, long offset, long totalBytes, int bytes) throws WireException {
        requirePart(FrameType.DEVICE_STATE, epoch);
        boolean sameTotal = offset == 0 || totalBytes == deviceStateTotalBytes;
        if (totalBytes > WireLimits.MAX_DEVICE_STATE_BYTES
                || !sameTotal
                || offset != deviceStateBytes
                || bytes < 1
                || bytes > totalBytes - offset) {
            throw WireException.corrupt("device state offset=%d bytes=%d total=%d, expected offset=%d total=%d limit=%d"
                    .formatted(
                            offset,
                            bytes,
                            totalBytes,
                            deviceStateBytes,
                            deviceStateTotalBytes,
                            WireLimits.MAX_DEVICE_STATE_BYTES));
        }
        deviceStateTotalBytes = totalBytes;
        deviceStateBytes += bytes;
    }

    public void outputFrames(EpochId epoch, int frames) throws WireException {
        requirePart(FrameType.OUTPUT_FRAMES, epoch);
        outputFrameCount += frames;
    }

    public void diskWrites(EpochId epoch, int writes, long bytes) throws WireException {
        requireFlow(FrameType.DISK_WRITES);
        if (epoch.equals(EpochId.NONE)) {
            requireDiskSynchronization(FrameType.DISK_WRITES);
            return;
        }
        long ahead = epoch.value() - lastEnded.value();
        if (ahead < 1 || ahead > WireLimits.MAX_DISK_EPOCHS_AHEAD || lastDiskEpoch.isAfter(epoch)) {
            throw outOfOrder(FrameType.DISK_WRITES, epoch);
        }
        lastDiskEpoch = epoch;
        diskWriteCounts[diskPlace(epoch)] += writes;
        diskWriteBytes[diskPlace(epoch)] += bytes;
    }

    public void diskCompare() throws WireException {
        requireDiskSynchronization(FrameType.DISK_COMPARE);
    }

    private void requireDiskSynchronization(FrameType type) throws WireException {
        boolean underWay = phase == Phase.FLOWING && isBeforeFirst() && lastDiskEpoch.equals(EpochId.NONE);
        if (!underWay) {
            throw outOfOrder(type, EpochId.NONE);
        }
    }

    private static int diskPlace(EpochId epoch) {
        return (int) (epoch.value() % WireLimits.MAX_DISK_EPOCHS_AHEAD);
    }

    public void checkpointEnd(EpochId epoch, CheckpointEnd end) throws WireException {
        requirePart(FrameType.CHECKPOINT_END, epoch);
        int place = diskPlace(epoch);
        if (diskWriteCounts[place] != end.diskWriteCount() || diskWriteBytes[place] != end.diskWriteBytes()) {
            throw WireException.corrupt(
                    "checkpoint epoch=%s is not complete: diskWrites=%d of %d, diskWriteBytes=%d of %d"
                            .formatted(
                                    epoch,
                                    diskWriteCounts[place],
                                    end.diskWriteCount(),
                                    diskWriteBytes[place],
                                    end.diskWriteBytes()));
        }
        if (end.pageCount() != pageCount
                || end.deviceStateBytes() != deviceStateBytes
                || deviceStateBytes != deviceStateTotalBytes
                || end.outputFrameCount() != outputFrameCount) {
            throw WireException.corrupt(
                    "checkpoint epoch=%s is not complete: pages=%d of %d, deviceStateBytes=%d of %d, outputFrames=%d of %d"
                            .formatted(
                                    epoch,
                                    pageCount,
                                    end.pageCount(),
                                    deviceStateBytes,
                                    end.deviceStateBytes(),
                                    outputFrameCount,
                                    end.outputFrameCount()));
        }
        phase = Phase.FLOWING;
        lastEnded = epoch;
        diskWriteCounts[place] = 0;
        diskWriteBytes[place] = 0;
    }

    public void inboundFrames(long firstSequence, int frames) throws WireException {
        requireFlow(FrameType.INBOUND_FRAMES);
        if (firstSequence < nextInboundSequence || firstSequence > Long.MAX_VALUE - frames) {
            throw WireException.corrupt("mirrored input from sequence=" + Long.toUnsignedString(firstSequence)
                    + ", expected at least " + nextInboundSequence);
        }
        nextInboundSequence = firstSequence + frames;
    }

    /** The output of an epoch leaves the primary only after the backup has acknowledged it. */
    public void released(EpochId epoch) throws WireException {
        requireFlow(FrameType.RELEASED);
        if (epoch.isAfter(lastEnded)) {
            throw outOfOrder(FrameType.RELEASED, epoch);
        }
    }

    public void heartbeat() throws WireException {
        require(isWelcomed(), FrameType.HEARTBEAT);
    }

    public void guestDead() throws WireException {
        require(isWelcomed(), FrameType.GUEST_DEAD);
    }

    public void handOver() throws WireException {
        requireFlow(FrameType.HAND_OVER);
        if (lastEnded.equals(EpochId.NONE)) {
            throw outOfOrder(FrameType.HAND_OVER, lastEnded);
        }
    }

    public void signOff() throws WireException {
        require(isWelcomed(), FrameType.SIGN_OFF);
        phase = Phase.ENDED;
    }

    private boolean isBeforeFirst() {
        return !resumed && lastEnded.equals(EpochId.NONE);
    }

    private boolean isWelcomed() {
        return phase != Phase.GREETING && phase != Phase.ENDED;
    }

    private void requirePart(FrameType type, EpochId epoch) throws WireException {
        if (phase != Phase.CHECKPOINT || !epoch.equals(current)) {
            throw outOfOrder(type, epoch);
        }
    }

    private void requireFlow(FrameType type) throws WireException {
        require(phase == Phase.FLOWING || phase == Phase.CHECKPOINT, type);
    }

    private void require(boolean fits, FrameType type) throws WireException {
        if (!fits) {
            throw WireException.corrupt("a frame of type " + type + " in phase " + phase);
        }
    }

    private WireException outOfOrder(FrameType type, EpochId epoch) {
        return WireException.corrupt("a frame of type %s with epoch=%s in phase %s, lastEnded=%s current=%s"
                .formatted(type, epoch, phase, lastEnded, current));
    }
}
