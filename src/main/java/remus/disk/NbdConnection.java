package remus.disk;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.channels.SocketChannel;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client of an {@link NbdServer}: negotiates, then serves its requests until the client goes, breaks the protocol, or
 * the server ends. Threads of the server's pool work for it: its reader, and one for each request that was handed over.
 * The last of them to leave closes the socket and frees the memory, so nothing is used after its end.
 */
final class NbdConnection {
    private static final Logger LOG = LoggerFactory.getLogger(NbdConnection.class);

    /** What a thread does for a connection. */
    @FunctionalInterface
    interface Job {
        void run() throws IOException, NbdException;
    }

    private final SocketChannel channel;
    private final NbdServer server;
    private final long negotiationEndNanos;
    private final Arena arena = Arena.ofShared();
    private final NbdOutput output;
    private final NbdSlots slots = new NbdSlots(arena);
    // Threads that work for the connection; who makes it one may run, who makes it zero closes. Never left at zero.
    private final AtomicInteger participants = new AtomicInteger(1);
    private volatile boolean ending;
    private volatile @Nullable NbdTransmission transmission;

    /** @param negotiationEndNanos when the client must have chosen an export, by {@link System#nanoTime} */
    NbdConnection(SocketChannel channel, NbdServer server, long negotiationEndNanos) {
        this.channel = channel;
        this.server = server;
        this.negotiationEndNanos = negotiationEndNanos;
        output = new NbdOutput(channel);
    }

    NbdOutput output() {
        return output;
    }

    /** Whether no further requests are to be taken. */
    boolean ending() {
        return ending;
    }

    NbdTurn newTurn() {
        return new NbdTurn(channel, arena);
    }

    /** A watched write begins. */
    void watchWrite() {
        server.watch().wake();
    }

    /** Begins to serve the client, with a thread of the pool. */
    void begin() {
        submit(this::serve);
    }

    private void serve() throws IOException, NbdException {
        NbdTurn turn = newTurn();
        Map<String, NbdExport> exports = server.exports();
        NbdNegotiation.@Nullable Choice choice = new NbdNegotiation(exports, turn.input(), output).run();
        if (choice != null) {
            NbdTransmission begun = new NbdTransmission(this, choice, slots);
            transmission = begun;
            begun.read(turn);
        }
    }

    /** Has another thread do {@code job}; false when the connection has ended. */
    boolean start(Job job) {
        if (participants.getAndUpdate(count -> count == 0 ? 0 : count + 1) == 0) {
            return false;
        }
        submit(job);
        return true;
    }

    /** Has the pool do {@code job}, for which a participant has been counted already. */
    private void submit(Job job) {
        boolean accepted = false;
        try {
            server.execute(() -> run(job));
            accepted = true;
        } finally {
            if (!accepted) {
                cut();
                leave();
            }
        }
    }

    private void run(Job job) {
        boolean done = false;
        try {
            job.run();
            done = true;
        } catch (EOFException e) {
            // Of the client's doing or of end(): what is under way is still answered.
            done = true;
        } catch (NbdException e) {
            LOG.warn("closed a connection to the disks at {}: {}", server.socket(), e.getMessage());
        } catch (IOException e) {
            // The client has gone, or this server cuts it off: neither is worth a line.
            LOG.debug("a client of the disks at {} has gone", server.socket(), e);
        } catch (RuntimeException e) {
            LOG.error("a request for the disks at {} failed", server.socket(), e);
        } catch (Error e) {
            server.broken(e);
        } finally {
            if (!done) {
                cut();
            }
            leave();
        }
    }

    private void leave() {
        if (participants.decrementAndGet() == 0) {
            closeChannel();
            arena.close();
            server.ended(this);
        }
    }

    /** Looks after the connection; called by the server's watch only. Returns whether to look again soon. */
    boolean look(long nowNanos) {
        @Nullable NbdTransmission begun = transmission;
        if (begun != null) {
            return begun.look();
        }
        if (nowNanos - negotiationEndNanos >= 0 && !ending) {
            LOG.warn(
                    "closed a connection to the disks at {}: no export chosen within {} s",
                    server.socket(),
                    NbdLimits.NEGOTIATION_LIMIT.toSeconds());
            cut();
        }
        return false;
    }

    /** Takes no further requests; those under way are finished and answered. */
    void end() {
        ending = true;
        try {
            channel.shutdownInput();
        } catch (IOException e) {
            LOG.debug("the connection had ended before", e);
        }
    }

    /** Ends the connection at once: nobody waits for its socket or its slots any more. */
    void cut() {
        ending = true;
        slots.close();
        closeChannel();
    }

    private void closeChannel() {
        try {
            channel.close();
        } catch (IOException e) {
            LOG.warn("closing a connection to the disks at {} failed", server.socket(), e);
        }
    }
}
