package remus.disk;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;
import remus.base.Time;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.DiskForwarding;

/**
 * Digests of the blocks of one disk as the backup has them, asked for window by window, one ahead of the one that is
 * needed. Blocks from the cursor on do not change at the backup, so digests asked for early are right when they are used.
 *
 * <p>Used by the synchronizer's thread; {@link #received} and {@link #cancel} come from others. Two windows are open at
 * most; what was not asked for ends the synchronization.
 */
final class DigestWindows {
    static final int WINDOW_BLOCKS = BlockDigests.MAX_BLOCKS;
    private static final int DIGEST_BYTES = BlockDigests.DIGEST_BYTES;

    /** A backup that has not answered by then never will: it reads 16 MiB for a window. */
    static final long ANSWER_LIMIT_NANOS = 60_000_000_000L;

    /** How often the limit is looked at. */
    private static final long LOOK_MILLIS = 1000;

    private final DiskForwarding forwarding;
    private final int disk;
    private final long blockCount;
    private final Time time;
    private final Map<Long, byte[]> answers = new HashMap<>();
    private long askedWindows;
    private long currentWindow = -1;
    private byte[] current = new byte[0];
    private boolean cancelled;
    private @Nullable CheckpointException failure;

    DigestWindows(DiskForwarding forwarding, int disk, long blockCount, Time time) {
        this.forwarding = forwarding;
        this.disk = disk;
        this.blockCount = blockCount;
        this.time = time;
    }

    /**
     * Sees to it that the digest of {@code block} is here; blocks are asked for in rising order.
     *
     * @return false when cancelled meanwhile
     */
    boolean await(long block) throws CheckpointException {
        long window = block / WINDOW_BLOCKS;
        if (window == currentWindow) {
            return true;
        }
        askThrough(window + 1);
        return awaitAnswer(window);
    }

    private void askThrough(long lastWindow) {
        while (true) {
            long window;
            synchronized (this) {
                window = askedWindows;
                if (window > lastWindow || window * WINDOW_BLOCKS >= blockCount) {
                    return;
                }
                askedWindows++;
            }
            forwarding.compare(disk, window * WINDOW_BLOCKS, blocksIn(window));
        }
    }

    private int blocksIn(long window) {
        return (int) Math.min(WINDOW_BLOCKS, blockCount - window * WINDOW_BLOCKS);
    }

    private synchronized boolean awaitAnswer(long window) throws CheckpointException {
        long since = time.nanos();
        while (true) {
            byte[] answer = answers.remove(window);
            CheckpointException failed = failure;
            if (cancelled) {
                return false;
            }
            if (failed != null) {
                throw failed;
            }
            if (answer != null) {
                current = answer;
                currentWindow = window;
                return true;
            }
            if (time.nanos() - since > ANSWER_LIMIT_NANOS) {
                throw failed("the backup has not answered for its blocks from " + window * WINDOW_BLOCKS + " on within "
                        + ANSWER_LIMIT_NANOS / 1_000_000_000L + " s");
            }
            try {
                wait(LOOK_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return false;
            }
        }
    }

    /** An answer of the backup's: checked here, for the sender is not to be trusted. */
    synchronized void received(int ofDisk, long firstBlock, byte[] digests) {
        long window = firstBlock / WINDOW_BLOCKS;
        boolean asked = ofDisk == disk
                && firstBlock >= 0
                && firstBlock % WINDOW_BLOCKS == 0
                && window > currentWindow
                && window < askedWindows
                && !answers.containsKey(window)
                && digests.length == blocksIn(window) * DIGEST_BYTES;
        if (asked) {
            answers.put(window, digests);
        } else {
            failure = failed("the backup answered for blocks that were not asked for: disk=" + ofDisk + " firstBlock="
                    + firstBlock + " bytes=" + digests.length);
        }
        notifyAll();
    }

    private static CheckpointException failed(String message) {
        return new CheckpointException(ErrorCategory.DEGRADE, message, null);
    }

    /** Whether {@code digest} is what the backup has in {@code block}, which {@link #await} has made sure of. */
    boolean matches(long block, byte[] digest) {
        int at = (int) (block - currentWindow * WINDOW_BLOCKS) * DIGEST_BYTES;
        return Arrays.equals(current, at, at + DIGEST_BYTES, digest, 0, DIGEST_BYTES);
    }

    synchronized void cancel() {
        cancelled = true;
        notifyAll();
    }
}
