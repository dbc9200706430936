package remus.simulation;

import java.util.Arrays;

/**
 * All frames that guests ever sent, as a tree: the parent of a frame is the one that the same state had sent before. A
 * state contains a frame if that is the last one it sent, or an ancestor of it. What has left the hosts must lie on one
 * path, for two branches are two guests that the world has heard of.
 */
final class History {
    private long[] parents = new long[1024];
    private int count = 1;
    private long lastLeft;

    /** A state whose last frame was {@code parent} (0: none) sends another one. */
    long sent(long parent) {
        if (count == parents.length) {
            parents = Arrays.copyOf(parents, 2 * count);
        }
        parents[count] = parent;
        return count++;
    }

    /** Whether the state whose last frame is {@code state} has sent {@code frame}, too. */
    boolean contains(long state, long frame) {
        long at = state;
        while (at > frame) {
            at = parents[(int) at];
        }
        return at == frame;
    }

    /** A frame has left a host. */
    void left(String host, long frame) {
        if (contains(frame, lastLeft)) {
            lastLeft = frame;
        } else {
            Violation.unless(
                    contains(lastLeft, frame),
                    Rule.OWNER,
                    "%s sends frame %d, which the state that has sent frame %d does not contain",
                    host,
                    frame,
                    lastLeft);
        }
    }

    /** The furthest frame that has left. */
    long lastLeft() {
        return lastLeft;
    }

    /** The VM is booted anew: nothing of what was before is in its state, as after any power failure. */
    void beginAnew() {
        lastLeft = 0;
    }
}
