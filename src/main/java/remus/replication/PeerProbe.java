package remus.replication;

import java.io.IOException;
import java.net.ConnectException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Set;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.base.Time;
import remus.wire.FrameEncoder;
import remus.wire.FrameHeader;
import remus.wire.FrameType;
import remus.wire.HostAnswer;
import remus.wire.Refusal;
import remus.wire.WireException;
import remus.wire.WireLimits;

/**
 * Asks another host's daemon what it is, and measures the way to it, over connections as sessions have them. Limits:
 * {@link #MAX_ECHOES}, {@link #ECHO_NANOS}, {@link #BULK_NANOS}, {@link #MEASURE_LIMIT} and the other host's
 * {@link MeasurementLimits}. Thread-safe; blocks.
 */
public final class PeerProbe {
    /** Most round trips that are counted. */
    public static final int MAX_ECHOES = 1_000;

    /** Round trips before those that are counted: both sides' code is cold. */
    static final int WARM_UP_ECHOES = 100;

    /** How long these may take, in nanoseconds: on a long way the code matters little. */
    static final long WARM_UP_NANOS = Duration.ofMillis(500).toNanos();

    /** How long round trips are counted, in nanoseconds. */
    public static final long ECHO_NANOS = Duration.ofSeconds(2).toNanos();

    /** How long bulk is sent, in nanoseconds; {@link MeasurementLimits#MAX_DISCARDED_BYTES} may be reached before. */
    public static final long BULK_NANOS = Duration.ofSeconds(1).toNanos();

    /** How long a measurement may take until all has arrived. */
    public static final Duration MEASURE_LIMIT = Duration.ofSeconds(9);

    /** Payload of a round trip, in bytes: with its header about as long as a small frame of a session. */
    static final int ECHO_BYTES = 64;

    private static final byte[] ECHO = new byte[ECHO_BYTES];

    static {
        if (MEASURE_LIMIT.toNanos() >= MeasurementLimits.MAX_NANOS
                || MAX_ECHOES + WARM_UP_ECHOES >= MeasurementLimits.MAX_ECHOES) {
            throw new ExceptionInInitializerError("a measurement would be cut off by the other host");
        }
    }

    private final Time time;

    public PeerProbe(Time time) {
        this.time = time;
    }

    /** Asks what the host is. */
    public HostReport ask(HostAddress peer, Duration limit) throws PeerException {
        return talk(peer, FrameType.HOST_ANSWER, limit, talk -> {
            long before = time.wallMillis();
            talk.send(FrameType.HOST_QUERY, payload -> {});
            answer(talk);
            HostAnswer answer = HostAnswer.decode(talk.payload());
            long after = time.wallMillis();
            long uncertainty = Math.max(0, after - before) / 2 + 1; // a clock of milliseconds is cut off
            return new HostReport(answer, answer.clockMillis() - (before + after) / 2, uncertainty);
        });
    }

    /** Measures; the way there is full for about a second meanwhile. */
    public LinkFigures measure(HostAddress peer) throws PeerException {
        return talk(peer, FrameType.ECHOED, MEASURE_LIMIT, talk -> {
            long warm = time.nanos() + WARM_UP_NANOS;
            for (int i = 0; i < WARM_UP_ECHOES && time.nanos() - warm < 0; i++) {
                echo(talk);
            }
            long[] nanos = new long[MAX_ECHOES];
            int count = 0;
            long end = time.nanos() + ECHO_NANOS;
            while (count < nanos.length && (count == 0 || time.nanos() - end < 0)) {
                nanos[count++] = echo(talk);
            }
            long[] sorted = Arrays.copyOf(nanos, count);
            Arrays.sort(sorted);
            return bulk(talk, sorted);
        });
    }

    private LinkFigures bulk(Conversation talk, long[] roundTripNanos)
            throws IOException, WireException, PeerException {
        OutgoingFrame frame = new OutgoingFrame(talk.transport(), new FrameEncoder(Term.NONE), new LinkSpeed(), time);
        ByteBuffer bytes = ByteBuffer.allocateDirect(WireLimits.MAX_DISCARD_BYTES);
        long began = time.nanos();
        long sent = 0;
        while (sent < MeasurementLimits.MAX_DISCARDED_BYTES && time.nanos() - began < BULK_NANOS) {
            frame.begin();
            frame.addPart(bytes.clear());
            frame.finish(FrameType.DISCARD, EpochId.NONE);
            while (!frame.write()) {
                talk.transport().await(false, true, talk.nanosLeft());
            }
            sent += bytes.capacity();
        }
        // Frames are dealt with in order: when this one is back, all before it have arrived, and half its way is
        // none of theirs.
        echo(talk);
        long nanos = Math.max(1, time.nanos() - began - roundTripNanos[0] / 2);
        return new LinkFigures(
                micros(roundTripNanos, 50),
                micros(roundTripNanos, 99),
                micros(roundTripNanos, 100),
                roundTripNanos.length,
                (long) (sent * 1e9 / nanos),
                sent);
    }

    private static long micros(long[] sortedNanos, int percent) {
        int index = (int) Math.ceil(sortedNanos.length * percent / 100.0) - 1;
        return Math.max(1, sortedNanos[index] / 1_000);
    }

    /** Sends a frame and waits until it is back; returns how long that took, in nanoseconds. */
    private long echo(Conversation talk) throws IOException, WireException, PeerException {
        long sent = time.nanos();
        talk.send(FrameType.ECHO, payload -> payload.put(ECHO));
        FrameHeader header = answer(talk);
        if (header.payloadBytes() != ECHO_BYTES) {
            throw WireException.corrupt("an echo of " + ECHO_BYTES + " bytes came back with " + header.payloadBytes());
        }
        return time.nanos() - sent;
    }

    /** The next answer, unless it is a refusal. */
    private static FrameHeader answer(Conversation talk) throws IOException, WireException, PeerException {
        FrameHeader header = talk.await();
        if (header.type() == FrameType.REFUSAL) {
            Refusal refusal = Refusal.decode(talk.payload());
            PeerException.Kind kind = refusal.code() == Refusal.Code.INCOMPATIBLE
                    ? PeerException.Kind.FOREIGN
                    : PeerException.Kind.REFUSED;
            throw new PeerException(kind, refusal.reason(), null);
        }
        return header;
    }

    private interface Talk<T> {
        T hold(Conversation talk) throws IOException, WireException, PeerException;
    }

    private <T> T talk(HostAddress peer, FrameType answer, Duration limit, Talk<T> talk) throws PeerException {
        Set<FrameType> answers = EnumSet.of(answer, FrameType.REFUSAL);
        try (Conversation conversation = Conversation.open(peer, Term.NONE, answers, time, limit)) {
            return talk.hold(conversation);
        } catch (ConnectException e) {
            throw new PeerException(PeerException.Kind.NOBODY_LISTENS, peer + ": " + e.getMessage(), e);
        } catch (IOException e) {
            throw new PeerException(PeerException.Kind.UNREACHABLE, peer + ": " + e.getMessage(), e);
        } catch (WireException e) {
            throw new PeerException(PeerException.Kind.FOREIGN, peer + ": " + e.getMessage(), e);
        }
    }
}
