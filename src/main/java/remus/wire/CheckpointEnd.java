package remus.wire;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * A checkpoint is complete when all that is counted here has arrived: the payload of CHECKPOINT_END.
 *
 * @param pageCount pages sent, zero pages included, repeated ones counted each time
 * @param deviceStateBytes size of the device state
 * @param outputFrameCount frames that the guest sent in the epoch
 * @param memoryDigest SHA-256 of all guest RAM at the pause, or null
 */
public record CheckpointEnd(
        long pageCount,
        long deviceStateBytes,
        int outputFrameCount,
        @Nullable Digest memoryDigest) {
    static final int MAX_BYTES = 8 + 8 + 4 + 1 + WireLimits.DIGEST_BYTES;

    public void encode(ByteBuffer target) {
        target.putLong(pageCount).putLong(deviceStateBytes).putInt(outputFrameCount);
        target.put((byte) (memoryDigest == null ? 0 : 1));
        if (memoryDigest != null) {
            memoryDigest.encode(target);
        }
    }

    public static CheckpointEnd decode(ByteBuffer source) throws WireException {
        WireText.need(source, 8 + 8 + 4 + 1, "fields");
        long pageCount = source.getLong();
        long deviceStateBytes = source.getLong();
        int outputFrameCount = source.getInt();
        Digest digest = WireFlag.take(source, "digestPresent") ? Digest.decode(source) : null;
        WireText.end(source);
        if (pageCount < 0 || deviceStateBytes < 0 || outputFrameCount < 0) {
            throw WireException.corrupt("the end of a checkpoint counts pages=" + pageCount + " deviceStateBytes="
                    + deviceStateBytes + " outputFrames=" + outputFrameCount);
        }
        return new CheckpointEnd(pageCount, deviceStateBytes, outputFrameCount, digest);
    }
}
