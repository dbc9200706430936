package remus.replication;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Set;
import java.util.concurrent.Semaphore;
import remus.base.EpochId;
import remus.base.Term;
import remus.base.Time;
import remus.wire.FrameHeader;
import remus.wire.FrameType;
import remus.wire.Refusal;
import remus.wire.WireException;
import remus.wire.WireLimits;

/**
 * Lets another host measure the way to this one: an ECHO comes back as it was, a DISCARD is thrown away, in the order of
 * their arrival, until that host closes the connection. Limits: {@link MeasurementLimits}. What exceeds them is refused
 * before it begins, or closed. Thread-safe.
 */
final class MeasurementService {
    static final Set<FrameType> TYPES = Set.of(FrameType.ECHO, FrameType.DISCARD);

    private final Time time;
    private final Semaphore places = new Semaphore(MeasurementLimits.MAX_MEASUREMENTS);

    private final MeasurementBudget budget;

    MeasurementService(Time time) {
        this.time = time;
        budget = new MeasurementBudget(time);
    }

    /**
     * Serves one measurement to its end.
     *
     * @param first its first frame, which {@code receiver} has
     * @throws IOException when it exceeds a limit, or its connection breaks
     */
    void serve(Transport transport, FrameReceiver receiver, FrameHeader first) throws IOException, WireException {
        if (!places.tryAcquire()) {
            refuse(transport, MeasurementLimits.MAX_MEASUREMENTS + " measurements are under way here already");
            return;
        }
        try {
            if (!budget.reserve()) {
                refuse(transport, "too much was measured here within the last minute");
                return;
            }
            new Measurement(transport, receiver).run(first);
        } finally {
            places.release();
        }
    }

    private static void refuse(Transport transport, String why) throws IOException {
        new Outbox(transport, Term.NONE)
                .send(
                        FrameType.REFUSAL,
                        EpochId.NONE,
                        new Refusal(Refusal.Code.NO_ROOM, why + ": try again in a minute")::encode);
        transport.endOutput();
    }

    /** One connection's. */
    private final class Measurement {
        private final Transport transport;
        private final FrameReceiver receiver;
        private final Outbox outbox;
        private final long deadline = time.nanos() + MeasurementLimits.MAX_NANOS;
        private int echoCount;
        private long discardedBytes;

        Measurement(Transport transport, FrameReceiver receiver) {
            this.transport = transport;
            this.receiver = receiver;
            outbox = new Outbox(transport, Term.NONE);
        }

        void run(FrameHeader first) throws IOException, WireException {
            try {
                serveFrame(first);
                receiver.expect(TYPES, WireLimits.HEADER_BYTES + WireLimits.MAX_DISCARD_BYTES);
                while (true) {
                    FrameHeader header = receiver.next();
                    if (header != null) {
                        serveFrame(header);
                    } else if (!receiver.fill()) {
                        transport.await(true, !outbox.isEmpty(), nanosLeft());
                        outbox.flush();
                    }
                }
            } catch (EOFException e) {
                // The other host has what it wanted.
                return;
            } finally {
                budget.giveBack(MeasurementLimits.MAX_DISCARDED_BYTES - discardedBytes);
            }
        }

        private long nanosLeft() throws IOException {
            long left = deadline - time.nanos();
            if (left <= 0) {
                throw new IOException(
                        "a measurement took longer than " + MeasurementLimits.MAX_NANOS / 1_000_000 + " ms");
            }
            return left;
        }

        private void serveFrame(FrameHeader header) throws IOException {
            nanosLeft(); // also where frames come so fast that none is ever waited for
            if (header.type() == FrameType.ECHO) {
                echoCount++;
                require(echoCount <= MeasurementLimits.MAX_ECHOES, "echoes", MeasurementLimits.MAX_ECHOES);
                ByteBuffer payload = receiver.payload();
                outbox.send(FrameType.ECHOED, EpochId.NONE, answer -> answer.put(payload));
            } else {
                long bytes = discardedBytes + header.payloadBytes();
                require(bytes <= MeasurementLimits.MAX_DISCARDED_BYTES, "bytes", MeasurementLimits.MAX_DISCARDED_BYTES);
                discardedBytes = bytes;
            }
        }

        private static void require(boolean fits, String what, long limit) throws IOException {
            if (!fits) {
                throw new IOException("a measurement had more than " + limit + " " + what);
            }
        }
    }
}
