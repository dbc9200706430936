package remus.wire;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * A checkpoint is complete when all that is counted here has arrived: the payload of CHECKPOINT_END.
 *
 * @param pageCount pages sent, zero pages included, repeated ones counted each time
 * @param deviceStateBytes size of the device state
 * @param outputFrameCount frames that the guest sent in the epoch
 * @param diskWriteCount writes, zeroings and trims of the guest's disks in the epoch
 * @param diskWriteBytes data of those writes
 * @param memoryDigest SHA-256 of all guest RAM at the pause, or null
 */
public record CheckpointEnd(
        long pageCount,
        long deviceStateBytes,
        int outputFrameCount,
        int diskWriteCount,
        long diskWriteBytes,
        @Nullable Digest memoryDigest) {
    private static final int MIN_BYTES = 8 + 8 + 4 + 4 + 8 + 1;

    static final int MAX_BYTES = MIN_BYTES + WireLimits.DIGEST_BYTES;

    public void encode(ByteBuffer target) {
        target.putLong(pageCount).putLong(deviceStateBytes).putInt(outputFrameCount);
        target.putInt(diskWriteCount).putLong(diskWriteBytes);
        target.put((byte) (memoryDigest == null ? 0 : 1));
        if (memoryDigest != null) {
            memoryDigest.encode(target);
        }
    }

    public static CheckpointEnd decode(ByteBuffer source) throws WireException {
        WireText.need(source, MIN_BYTES, "fields");
        long pageCount = source.getLong();
        long deviceStateBytes = source.getLong();
        int outputFrameCount = source.getInt();
        int diskWriteCount = source.getInt();
        long diskWriteBytes = source.getLong();
        Digest digest = WireFlag.take(source, "digestPresent") ? Digest.decode(source) : null;
        WireText.end(source);
        if (pageCount < 0 || deviceStateBytes < 0 || outputFrameCount < 0 || diskWriteCount < 0 || diskWriteBytes < 0) {
            throw WireException.corrupt("the end of a checkpoint counts pages=" + pageCount + " deviceStateBytes="
                    + deviceStateBytes + " outputFrames=" + outputFrameCount + " diskWrites=" + diskWriteCount
                    + " diskWriteBytes=" + diskWriteBytes);
        }
        return new CheckpointEnd(pageCount, deviceStateBytes, outputFrameCount, diskWriteCount, diskWriteBytes, digest);
    }
}
