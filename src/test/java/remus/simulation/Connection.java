package remus.simulation;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.simulation.Network.Node;

/**
 * One TCP connection between two daemons: bytes arrive in order or not at all. While the link is cut they wait in the
 * sender's buffer and are tried again. What has arrived waits in the receiver's buffer until it is read, also when the
 * sender has closed the connection or is dead. Who sends to a daemon that has gone is told so, if the way back is open.
 */
final class Connection {
    /** Reads one end. */
    interface Reader {
        /** Something can be read, or the end has come. */
        void readable(End end);
    }

    /** One end of it. */
    final class End {
        private final Daemon daemon;
        private final Deque<byte[]> arrived = new ArrayDeque<>();
        private final Deque<byte[]> onTheWay = new ArrayDeque<>();
        private @Nullable Reader reader;
        private boolean closed;
        private boolean closing;
        private boolean ended;
        private boolean pumping;
        private boolean told;

        private End(Daemon daemon) {
            this.daemon = daemon;
        }

        Daemon daemon() {
            return daemon;
        }

        boolean isOpen() {
            return !closed && !ended;
        }

        void readBy(Reader by) {
            reader = by;
            tell();
        }

        byte @Nullable [] read() {
            return closed ? null : arrived.poll();
        }

        /** Whether the other side's end has been read. */
        boolean isEnded() {
            return ended && arrived.isEmpty();
        }

        void send(byte[] frame) {
            if (!closed && !ended) {
                onTheWay.add(frame);
                pump(this, network.delayNanos());
            }
        }

        /** What was sent still arrives if it can, then the end. */
        void close() {
            if (!closed) {
                closed = true;
                closing = true;
                arrived.clear();
                pump(this, network.delayNanos());
            }
        }

        /** The connection breaks: what is on its way is lost in both directions. */
        void breaks() {
            for (End each : List.of(client, server)) {
                each.onTheWay.clear();
                each.end();
            }
        }

        private void arrive(byte[] frame) {
            if (!closed && !ended) {
                arrived.add(frame);
                tell();
            }
        }

        private void end() {
            if (!ended) {
                ended = true;
                tell();
            }
        }

        private void tell() {
            if (reader != null && !told && !closed) {
                told = true;
                daemon.post(() -> {
                    told = false;
                    Reader present = reader;
                    if (present != null && !closed) {
                        present.readable(this);
                    }
                });
            }
        }
    }

    private static final long RETRY_NANOS = 60 * Scheduler.MILLISECOND;

    private final Scheduler scheduler;
    private final Network network;
    private final End client;
    private final End server;
    private boolean accepted;

    /** Begins to connect; whoever is there learns of it with the first bytes. */
    Connection(Scheduler scheduler, Network network, Daemon from, Daemon to) {
        this.scheduler = scheduler;
        this.network = network;
        client = new End(from);
        server = new End(to);
    }

    End client() {
        return client;
    }

    private End other(End end) {
        return end == client ? server : client;
    }

    private void pump(End from, long delayNanos) {
        if (!from.pumping) {
            from.pumping = true;
            scheduler.after(delayNanos, () -> {
                from.pumping = false;
                move(from);
            });
        }
    }

    private void move(End from) {
        End to = other(from);
        Node source = from.daemon.machine().node();
        Node target = to.daemon.machine().node();
        if (!from.daemon.machine().isUp() || from.daemon.isLostWithMachine()) {
            from.onTheWay.clear(); // its kernel is gone
            return;
        }
        if (network.isCut(source, target) || !to.daemon.machine().isUp()) {
            if (!from.onTheWay.isEmpty() || from.closing) {
                pump(from, scheduler.span(RETRY_NANOS / 4, RETRY_NANOS));
            }
            return;
        }
        if (!to.daemon.isAlive() || to.closed) {
            from.onTheWay.clear();
            reset(from, source, target);
            return;
        }
        byte[] frame = from.onTheWay.poll();
        if (frame != null) {
            if (!accepted && to == server) {
                accepted = true;
                to.daemon.accepted(to);
            }
            to.arrive(frame);
        }
        if (!from.onTheWay.isEmpty()) {
            pump(from, scheduler.span(0, from.daemon.world().timing().frameGapNanos()));
        } else if (from.closing) {
            from.closing = false;
            to.end();
        }
    }

    /** Nobody is there: the sender's kernel is told. */
    private void reset(End from, Node source, Node target) {
        if (from.closed || from.ended) {
            return;
        }
        if (network.isCut(target, source)) {
            scheduler.after(RETRY_NANOS, () -> reset(from, source, target));
        } else {
            scheduler.after(network.delayNanos(), from::end);
        }
    }
}
