package remus.replication;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.base.Time;
import remus.checkpoint.BackupChannel;
import remus.checkpoint.DiskOperation;
import remus.checkpoint.OutgoingPages;
import remus.checkpoint.StagedCheckpoint;
import remus.checkpoint.StagedPages;
import remus.wire.DiskBlocks;
import remus.wire.WireException;
import remus.wire.WireLimits;

/**
 * A session's way to its backup over TCP. The VM's agent only puts things into an {@link OutgoingQueue}, and who serves
 * its disks into a {@link WriteQueue}, the only place where anybody waits; one thread of the channel's own connects, sends and receives without ever blocking on either, so that answers are seen while bulk
 * data goes out. Page data is written from the staging buffers, without a copy.
 *
 * <p>A lost connection is made again, at first every 10 ms. Until READY a new session starts over; from then until the
 * end of its first checkpoint is made it can't go on and ends with {@code backupLost}; later it resumes after the
 * backup's last whole epoch, and only the backup's own word ends it. {@code disconnected} is called when a connection is
 * lost, and again when the outcome of further attempts changes.
 *
 * <p>Beyond the port's contract: the limit of a sign-off includes reconnections. A sign-off and a dead guest's report
 * overtake checkpoints that are still queued. After an end the channel ignores what it is given. Staged memory is not
 * read any more once {@link #close} has returned.
 */
public final class PrimaryChannel implements BackupChannel {
    private static final Logger LOG = LoggerFactory.getLogger(PrimaryChannel.class);

    private static final long FIRST_RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(10);
    private static final long MAX_RETRY_NANOS = TimeUnit.SECONDS.toNanos(1);

    /** Attempts at the first pace, before the pauses between them grow. */
    private static final int FAST_ATTEMPTS = 50;

    /** A connection that lasted so long was a good one: the next loss is retried at the first pace again. */
    private static final long GOOD_CONNECTION_NANOS = TimeUnit.SECONDS.toNanos(1);

    /** Longest wait of {@link #close} for the thread; it never blocks, so it needs the time of one frame. */
    private static final Duration CLOSE_LIMIT = Duration.ofSeconds(1);

    private final PrimaryChannelSettings settings;
    private final Listener listener;
    private final Time time;
    private final WriteQueue writes;
    private final OutgoingQueue queue;
    private final CountDownLatch closing = new CountDownLatch(1);
    private final Thread thread;
    private final AtomicReference<@Nullable String> reconnectWanted = new AtomicReference<>();
    private volatile @Nullable Transport transport;

    // Only the channel's thread uses these.
    private final OutgoingPages pages;
    private final LinkSpeed speed = new LinkSpeed();
    private final CompressionChoice choice;
    private final PageTraffic traffic = new PageTraffic(); // others read it
    private int attempts;
    private String lastReport = "";

    public PrimaryChannel(PrimaryChannelSettings settings, Listener listener, Time time) {
        this.settings = settings;
        this.listener = listener;
        this.time = time;
        writes = new WriteQueue(this::wake, listener::writesAreFilling);
        queue = new OutgoingQueue(writes);
        choice = new CompressionChoice(settings.compression(), speed);
        pages = new OutgoingPages(settings.hello().pageBytes(), settings.hello().pageCount(), WireLimits.MAX_PAGE_RUNS);
        thread = Thread.ofPlatform()
                .daemon()
                .name("remus-channel-" + settings.hello().vm())
                .unstarted(this::run);
    }

    @Override
    public void open() {
        thread.start();
    }

    @Override
    public void send(StagedCheckpoint checkpoint) {
        queue.addCheckpoint(checkpoint);
        wake();
    }

    @Override
    public void sendPages(StagedPages chunk) {
        queue.addChunk(chunk);
        wake();
    }

    @Override
    public void mirrorInbound(long sequence, MemorySegment frames, long offset, int length) {
        queue.addInbound(sequence, frames, offset, length);
        wake();
    }

    @Override
    public void reportReleased(EpochId epoch) {
        queue.setReleased(epoch);
        wake();
    }

    @Override
    public void heartbeat(EpochId sealed) {
        queue.setHeartbeat(sealed);
        wake();
    }

    @Override
    public void reportGuestDead(String reason) {
        queue.setGuestDead(reason);
        wake();
    }

    @Override
    public void handOver(long pausedNanos, String reason) {
        queue.setHandOver(pausedNanos, reason);
        wake();
    }

    @Override
    public boolean forward(
            EpochId epoch,
            int disk,
            DiskOperation operation,
            long offset,
            long length,
            MemorySegment data,
            long dataOffset) {
        return writes.forward(epoch, disk, operation, offset, length, data, dataOffset);
    }

    @Override
    public void letWritesThrough(boolean through) {
        writes.letThrough(through);
    }

    @Override
    public void compare(int disk, long firstBlock, int count) {
        queue.addComparison(new DiskBlocks(disk, firstBlock, count));
    }

    @Override
    public void reconnect(String reason) {
        reconnectWanted.set(reason);
        wake();
    }

    @Override
    public void signOff(String reason) {
        queue.setSignOff(reason, time.nanos() + settings.limits().signOff().toNanos());
        wake();
    }

    @Override
    public long rawPageBytes() {
        return traffic.rawBytes();
    }

    @Override
    public long sentPageBytes() {
        return traffic.sentBytes();
    }

    /** Inbound frames that were not mirrored because the connection did not keep up. May be called by any thread. */
    public long droppedInboundCount() {
        return queue.droppedInboundCount();
    }

    @Override
    public void close() {
        closing.countDown();
        writes.end();
        wake();
        if (thread.isAlive() && !Thread.currentThread().equals(thread)) {
            try {
                if (!thread.join(CLOSE_LIMIT)) {
                    LOG.warn("the channel to {} did not end within {}", settings.backup(), CLOSE_LIMIT);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        queue.close();
    }

    private void wake() {
        Transport current = transport;
        if (current != null) {
            current.wakeup();
        }
    }

    private boolean isClosing() {
        return closing.getCount() == 0;
    }

    private void run() {
        try {
            while (!isClosing()) {
                // What the backup has of what was sent before is not known.
                pages.connected();
                Runnable ending = connectAndRun();
                if (ending != null) {
                    queue.close();
                    ending.run();
                    return;
                }
            }
        } catch (InterruptedException e) {
            LOG.warn("the channel to {} was interrupted and ends", settings.backup());
        } catch (RuntimeException | Error e) {
            LOG.error("the channel to {} failed", settings.backup(), e);
            queue.close();
            listener.channelFailed(e);
        } finally {
            pages.close();
        }
    }

    /**
     * How a connection was lost.
     *
     * @param foreign the backup speaks another protocol
     * @param failed by an error of this program's own
     */
    private record Loss(
            String cause, boolean foreign, boolean failed, boolean wasReady, boolean wasWelcomed, long nanos) {}

    /** One connection, and the pause after it; returns what ends the session, or null when it is to go on. */
    private @Nullable Runnable connectAndRun() throws InterruptedException {
        String cause = "";
        boolean foreign = false;
        boolean failed = false;
        boolean wasReady = false;
        boolean wasWelcomed = false;
        @Nullable Runnable ending = null;
        long began = time.nanos();
        try (PrimaryLink link = connect()) {
            try {
                ending = link.run(this::isClosing);
            } finally {
                wasReady = link.wasReady();
                wasWelcomed = link.wasWelcomed();
            }
        } catch (WireException e) {
            cause = "the backup broke the protocol: " + e.getMessage();
            foreign = e.category() == ErrorCategory.FATAL;
        } catch (IOException e) {
            cause = String.valueOf(e.getMessage());
        } catch (RuntimeException e) {
            LOG.error("the connection with {} failed", settings.backup(), e);
            cause = "the channel failed: " + e;
            failed = true;
        } finally {
            transport = null;
        }
        // What the backup said counts, also when the connection could not be closed afterwards.
        if (ending == null && !isClosing()) {
            ending = lost(new Loss(cause, foreign, failed, wasReady, wasWelcomed, time.nanos() - began));
        }
        return ending;
    }

    private @Nullable Runnable lost(Loss loss) throws InterruptedException {
        boolean resumable = queue.isResumable();
        if (!resumable && loss.foreign) {
            return () -> listener.refused(loss.cause);
        }
        if (!resumable && (loss.wasReady || loss.failed)) {
            // The end of the first checkpoint was never made: whatever the backup received, it is no image.
            return () -> listener.backupLost("the connection was lost during synchronization (" + loss.cause + ")");
        }
        if (loss.wasWelcomed && loss.nanos > GOOD_CONNECTION_NANOS) {
            attempts = 0;
        }
        if (loss.wasWelcomed || !loss.cause.equals(lastReport)) {
            lastReport = loss.cause;
            listener.disconnected(loss.cause);
        }
        if (queue.withdrawOverdueSignOff(time.nanos())) {
            String reason = "the sign-off could not be delivered (" + loss.cause + ")";
            if (!resumable) {
                return () -> listener.refused(reason);
            }
            listener.signOffUnanswered(reason);
        }
        pause();
        return null;
    }

    private void pause() throws InterruptedException {
        attempts++;
        int doublings = Math.clamp(attempts - FAST_ATTEMPTS, 0, 7);
        boolean closed = closing.await(Math.min(FIRST_RETRY_NANOS << doublings, MAX_RETRY_NANOS), TimeUnit.NANOSECONDS);
        if (closed) {
            LOG.debug("closing the channel to {}", settings.backup());
        }
    }

    private PrimaryLink connect() throws IOException {
        long limitNanos = settings.limits().connect().toNanos();
        long deadline = time.nanos() + limitNanos;
        Transport connecting = Transport.connecting(settings.backup());
        transport = connecting;
        try {
            while (!connecting.awaitConnected(deadline - time.nanos())) {
                if (isClosing() || time.nanos() - deadline >= 0) {
                    throw new SocketTimeoutException(
                            "no answer from " + settings.backup() + " within " + limitNanos / 1_000_000 + " ms");
                }
            }
            // A wish for a new connection is fulfilled by this one.
            reconnectWanted.set(null);
            return new PrimaryLink(
                    connecting,
                    settings,
                    queue,
                    writes,
                    pages,
                    speed,
                    choice,
                    traffic,
                    listener,
                    reconnectWanted,
                    time);
        } catch (IOException | RuntimeException e) {
            connecting.close();
            throw e;
        }
    }
}
