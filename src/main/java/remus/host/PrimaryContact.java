package remus.host;

import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.base.Time;
import remus.checkpoint.CheckpointException;
import remus.replication.BackupConnection;
import remus.wire.FrameHandler;
import remus.wire.Refusal;
import remus.wire.Welcome;

/**
 * A backup's contact with its primary: the connection of the moment, or none. What is to be sent without one is dropped:
 * a primary that returns is told the last whole epoch, and all else follows from that. What silence or an end means is for
 * {@link StandbyOwnership} to say. Confined to the backup's agent thread, but for {@link #wakeUp}.
 */
final class PrimaryContact implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(PrimaryContact.class);

    /** Of frames, as they come from a socket: as much as a second of a fast link brings, so that a flood ends. */
    private static final int MAX_INPUT_LOTS = 1024;

    private final String vm;
    private final Time time;
    private final long beatNanos;
    private volatile @Nullable BackupConnection connection;
    private volatile @Nullable Thread agent;
    private long heardBytes;
    private long lastBeatNanos;
    private boolean silent;

    /** @param beatNanos between two signs of life that are sent */
    PrimaryContact(String vm, BackupConnection connection, Time time, long beatNanos) {
        this.vm = vm;
        this.connection = connection;
        this.time = time;
        this.beatNanos = beatNanos;
    }

    /** The calling thread is the one that waits here from now on. */
    void begin() {
        agent = Thread.currentThread();
    }

    /** Ends the waiting of the agent; on any thread. */
    void wakeUp() {
        BackupConnection current = connection;
        if (current != null) {
            current.wakeup();
        }
        LockSupport.unpark(agent);
    }

    boolean isConnected() {
        return connection != null;
    }

    // ---- what comes

    /** Waits until something comes, {@link #wakeUp} is called or the time is over. */
    void await(long nanos) {
        BackupConnection current = connection;
        if (current == null || silent) {
            LockSupport.parkNanos(this, nanos);
        } else {
            current.await(nanos);
        }
    }

    /**
     * Takes what has come.
     *
     * @param wanted asked after each lot of frames: false when nothing more is taken
     * @param heard told whenever something came, which means that the primary lives
     */
    void receive(FrameHandler<CheckpointException> frames, BooleanSupplier wanted, Runnable heard)
            throws CheckpointException {
        BackupConnection current = connection;
        if (current == null || silent) {
            return;
        }
        try {
            while (current.poll(frames) > 0 && wanted.getAsBoolean()) {
                noteLife(current, heard);
            }
        } catch (CheckpointException e) {
            if (e.category() != ErrorCategory.RETRY) {
                throw e;
            }
            // What the primary sent makes no sense; a real one connects again and sends it once more.
            LOG.warn("VM {}: the connection is dropped: {}", vm, e.getMessage());
            current.close();
        }
        noteLife(current, heard);
    }

    /** Takes what still comes for the guest at the primary, which has handed it over; nothing else is taken any more. */
    void receiveInput(FrameHandler<CheckpointException> input) {
        BackupConnection current = connection;
        if (current == null) {
            return;
        }
        try {
            for (int lot = 0; lot < MAX_INPUT_LOTS && current.poll(input) > 0; lot++) {
                // until there is nothing more
            }
        } catch (CheckpointException e) {
            LOG.warn("VM {}: the connection is dropped: {}", vm, e.getMessage());
            current.close();
        }
    }

    private void noteLife(BackupConnection current, Runnable heard) {
        long bytes = current.receivedBytes();
        if (bytes != heardBytes) {
            heardBytes = bytes;
            heard.run();
        }
    }

    /** Whether the primary is there and has sent all the files that it was asked for. */
    boolean hasSentFiles() {
        BackupConnection current = connection;
        return current != null && current.isOpen() && current.filesArrived();
    }

    /** How the connection of the moment has ended; null while it lasts, and without one. */
    BackupConnection.@Nullable End end() {
        BackupConnection current = connection;
        return current == null ? null : current.end();
    }

    /** There is no connection any more. */
    void forget() {
        connection = null;
        heardBytes = 0;
    }

    // ---- what is sent

    /** Takes the session, or takes it up again after {@code lastWhole}. */
    void welcome(EpochId lastWhole, Welcome welcome) {
        BackupConnection current = connection;
        if (current != null) {
            current.welcome(lastWhole, welcome);
        }
    }

    void refuse(Refusal refusal) {
        BackupConnection current = connection;
        if (current != null) {
            current.refuse(refusal);
        }
    }

    /** The standby waits for memory. */
    void ready() {
        BackupConnection current = connection;
        if (current != null) {
            current.ready();
        }
    }

    /** Sends a sign of life if one is due. */
    void beat(EpochId lastWhole) {
        BackupConnection current = connection;
        long now = time.nanos();
        if (current != null && !silent && now - lastBeatNanos >= beatNanos) {
            lastBeatNanos = now;
            current.heartbeat(lastWhole);
        }
    }

    void acknowledge(EpochId epoch) {
        BackupConnection current = connection;
        if (current != null && !silent) {
            current.acknowledge(epoch);
        }
    }

    void verified(EpochId epoch, boolean equal) {
        BackupConnection current = connection;
        if (current != null && !silent) {
            current.verified(epoch, equal);
        }
    }

    void diskDigests(int disk, long firstBlock, byte[] digests) {
        BackupConnection current = connection;
        if (current != null) {
            current.diskDigests(disk, firstBlock, digests);
        }
    }

    void signedOff(String text) {
        BackupConnection current = connection;
        if (current != null) {
            current.signedOff(text);
        }
    }

    void relief(String why) {
        BackupConnection current = connection;
        if (current != null && !silent) {
            current.relief(why);
        }
    }

    void standbyLost(String why) {
        BackupConnection current = connection;
        if (current != null) {
            current.standbyLost(why);
        }
    }

    /** Nothing that comes is taken any more, and nothing is acknowledged, not even by a sign of life. */
    void fallSilent() {
        silent = true;
    }

    /** Says that this host takes over, and nothing after that: the connection is closed. */
    void activated(String cause) {
        BackupConnection current = connection;
        if (current != null) {
            current.activated(cause);
            current.close();
            connection = null;
        }
    }

    // ---- its connections

    /** The primary comes on another connection, if at all: the present one is closed. */
    void disconnect() {
        BackupConnection current = connection;
        if (current != null) {
            current.close();
        }
        forget();
    }

    /** The primary is back, on {@code next}. */
    void reconnected(BackupConnection next) {
        connection = next;
    }

    @Override
    public void close() {
        BackupConnection current = connection;
        if (current != null) {
            connection = null;
            current.close();
        }
    }
}
