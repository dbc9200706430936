package remus.replication;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * Sees off a connection whose last frame should arrive: sends what is kept, ends the output, and reads on until the
 * other side closes. Closing at once would lose that frame when unread data waits here, for the system then resets the
 * connection. Takes at most {@link #LIMIT_NANOS} on a thread of its own; of more than {@link #MAX_AT_ONCE} at a time
 * the rest is closed at once.
 */
final class Farewell {
    private static final long LIMIT_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final int MAX_AT_ONCE = 32;
    private static final int DISCARD_BYTES = 64 << 10;

    private static final Semaphore PLACES = new Semaphore(MAX_AT_ONCE);

    private Farewell() {}

    /** Takes over {@code transport}, and {@code outbox} which sends on it. */
    static void of(Transport transport, Outbox outbox) {
        if (!PLACES.tryAcquire()) {
            transport.close();
            return;
        }
        Thread.ofPlatform().daemon().name("remus-farewell").start(() -> {
            try (transport) {
                linger(transport, outbox);
            } catch (IOException e) {
                // The other side is gone already, which is all that was waited for.
            } finally {
                PLACES.release();
            }
        });
    }

    private static void linger(Transport transport, Outbox outbox) throws IOException {
        long deadline = System.nanoTime() + LIMIT_NANOS;
        ByteBuffer discarded = ByteBuffer.allocate(DISCARD_BYTES);
        boolean outputEnded = false;
        while (deadline - System.nanoTime() > 0) {
            outbox.flush();
            if (outbox.isEmpty() && !outputEnded) {
                transport.endOutput();
                outputEnded = true;
            }
            if (transport.read(discarded.clear()) < 0) {
                return;
            }
            transport.await(true, !outbox.isEmpty(), deadline - System.nanoTime());
        }
    }
}
