package remus.replication;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Invariant;
import remus.base.Term;
import remus.wire.DiskBlocks;
import remus.wire.FrameHandler;
import remus.wire.FrameHeader;
import remus.wire.FrameType;
import remus.wire.Hello;
import remus.wire.HelloFile;
import remus.wire.Payloads;
import remus.wire.Refusal;
import remus.wire.SessionFrames;
import remus.wire.SessionOrder;
import remus.wire.Welcome;
import remus.wire.WireException;
import remus.wire.WireLimits;

/**
 * The backup's end of a session's connection: {@link #await} something, {@link #poll} it, send answers in between.
 * Confined to the thread that owns it, which may hand it over; only {@link #wakeup} may be called by others.
 *
 * <p>Nothing throws because of the peer or the network. When the connection is over, {@link #end} says how, sends do
 * nothing, and polls find nothing; frames that arrived completely before the end are still delivered. A frame that breaks
 * the protocol ends the connection without reaching the handler.
 *
 * <p>Limits: memory is one receive buffer of {@link #RECEIVE_BUFFER_BYTES} and one of unsent answers; who does not poll
 * stops the primary by TCP's flow control.
 */
public final class BackupConnection implements AutoCloseable {
    /** Bytes of the receive buffer: two of the longest frames, so that parts of frames are seldom moved. */
    public static final int RECEIVE_BUFFER_BYTES = 2 * (32 + FrameType.MAX_PAYLOAD_BYTES);

    /** Most frames that one poll delivers, so that its caller gets round to other work. */
    private static final int MAX_FRAMES_PER_POLL = 16;

    private static final Set<FrameType> FROM_PRIMARY = fromPrimary();

    /** How a connection ended. */
    public enum EndKind {
        /** The session was signed off: its end means nothing. */
        SIGNED_OFF,
        /** The primary closed the connection, or it broke. */
        LOST,
        /** What the primary sent broke the protocol. */
        BROKEN,
        /** Closed by this side. */
        CLOSED
    }

    /** The end of a connection; {@code cause} is for people. */
    public record End(EndKind kind, String cause) {}

    private final Transport transport;
    private final FrameReceiver receiver;
    private final Outbox outbox;
    private final Hello hello;
    private final Term term;
    private final SessionFrames frames;
    private final SessionOrder order;
    private EpochId lastAcknowledged = EpochId.NONE;
    private boolean farewell;
    private @Nullable End end;

    /** Takes over {@code transport} and {@code receiver}, whose current frame is the hello with {@code header}. */
    BackupConnection(Transport transport, FrameReceiver receiver, FrameHeader header, Hello hello) {
        this.transport = transport;
        this.receiver = receiver;
        this.hello = hello;
        term = header.term();
        outbox = new Outbox(transport, term);
        frames = new SessionFrames(hello, term);
        order = frames.order();
        receiver.expect(FROM_PRIMARY, 0);
    }

    public Hello hello() {
        return hello;
    }

    /** The session's term; every frame carries it. */
    public Term term() {
        return term;
    }

    /** The primary's address as seen here, numerical; the port is that of this connection, not one it listens on. */
    public HostAddress peerAddress() {
        return transport.peer();
    }

    /** {@link #peerAddress} as text, for messages. */
    public String peer() {
        return peerAddress().toString();
    }

    /** All bytes received so far: more of them than before means that the primary lives. */
    public long receivedBytes() {
        return transport.receivedBytes();
    }

    /** Whether all files that were asked for have arrived. */
    public boolean filesArrived() {
        return order.phase() != SessionOrder.Phase.GREETING && order.phase() != SessionOrder.Phase.FILES;
    }

    public boolean isOpen() {
        return end == null;
    }

    /**
     * Whether the primary still waits for the answer to its hello: one that does not any more has closed the connection.
     * To be asked before the welcome only.
     */
    public boolean isAwaited() {
        try {
            // Until it is welcomed a primary sends nothing but its end.
            if (end == null && !receiver.hasNext() && receiver.next() == null) {
                receiver.fill();
            }
        } catch (WireException e) {
            finish(EndKind.BROKEN, "broke the protocol: " + e.getMessage());
        } catch (IOException e) {
            lost(e);
        }
        return end == null;
    }

    /** How the connection ended, or null. */
    public @Nullable End end() {
        return end;
    }

    /**
     * Waits until a poll may find something, {@link #wakeup} is called, or {@code nanos} have passed (in steps of a
     * millisecond; 0 only looks). Returns whether to poll. Sends answers that were kept meanwhile.
     */
    public boolean await(long nanos) {
        if (end != null) {
            return false;
        }
        try {
            if (receiver.hasNext()) {
                return true;
            }
            outbox.flush();
            boolean ready = transport.await(true, !outbox.isEmpty(), nanos);
            outbox.flush();
            return ready;
        } catch (IOException e) {
            lost(e);
            return false;
        }
    }

    /** Ends the current or the next {@link #await}; may be called by any thread, and after the end. */
    public void wakeup() {
        transport.wakeup();
    }

    /**
     * Delivers what has arrived, a bounded number of frames, and returns how many. What {@code handler} throws passes
     * through; the frame counts as delivered.
     */
    public <X extends Exception> int poll(FrameHandler<X> handler) throws X {
        int count = 0;
        try {
            while (end == null && count < MAX_FRAMES_PER_POLL) {
                FrameHeader header = receiver.next();
                if (header != null) {
                    frames.deliver(header, receiver.payload(), receiver.memory(), handler);
                    count++;
                } else if (!receiver.fill()) {
                    break;
                }
            }
        } catch (WireException e) {
            finish(EndKind.BROKEN, "broke the protocol: " + e.getMessage());
        } catch (IOException e) {
            lost(e);
        }
        return count;
    }

    /**
     * Takes the session: for a resumed one, it goes on after {@code lastWhole}. Files and disks that the welcome names must
     * be in the hello.
     */
    public void welcome(EpochId lastWhole, Welcome welcome) {
        List<HelloFile> wanted = new ArrayList<>();
        for (String name : welcome.wantedFiles()) {
            wanted.add(hello.files().stream()
                    .filter(file -> file.name().equals(name))
                    .findFirst()
                    .orElseThrow(() -> new IllegalArgumentException("the hello has no file '" + name + "'")));
        }
        order.welcomed(hello.mode(), lastWhole, wanted);
        if (end == null) {
            // Only now, for who is refused must cost next to nothing.
            receiver.expect(FROM_PRIMARY, RECEIVE_BUFFER_BYTES);
        }
        lastAcknowledged = lastWhole;
        send(FrameType.WELCOME, lastWhole, welcome::encode);
    }

    /** Takes no session; the caller closes the connection next. */
    public void refuse(Refusal refusal) {
        bidFarewell(FrameType.REFUSAL, refusal::encode);
    }

    /** The standby waits for pages. */
    public void ready() {
        order.readied();
        send(FrameType.READY, EpochId.NONE, payload -> {});
    }

    /** Checkpoint {@code epoch}, and so each one before it, is whole. */
    public void acknowledge(EpochId epoch) {
        Invariant.check(
                epoch.isAfter(lastAcknowledged) && !epoch.isAfter(order.lastEnded()),
                "acknowledging epoch=%s after %s, last complete=%s",
                epoch,
                lastAcknowledged,
                order.lastEnded());
        lastAcknowledged = epoch;
        send(FrameType.ACKNOWLEDGE, epoch, payload -> {});
    }

    /** This side lives; {@code lastWhole} is for the record. */
    public void heartbeat(EpochId lastWhole) {
        send(FrameType.HEARTBEAT, lastWhole, payload -> {});
    }

    /** Result of comparing memory digests at {@code epoch}. */
    public void verified(EpochId epoch, boolean equal) {
        send(FrameType.VERIFIED, epoch, payload -> Payloads.encodeVerified(payload, equal));
    }

    /**
     * Answers what {@link FrameHandler#diskCompare} asked for, in the order in which it was asked.
     *
     * @param digests SHA-256 of each block, 32 bytes each, one after the other
     */
    public void diskDigests(int disk, long firstBlock, byte[] digests) {
        DiskBlocks blocks = new DiskBlocks(disk, firstBlock, digests.length / WireLimits.DIGEST_BYTES);
        send(FrameType.DISK_DIGESTS, EpochId.NONE, payload -> blocks.encodeDigests(payload, digests));
    }

    /** Answers a sign-off: the image is dropped, this side will never activate. The caller closes next. */
    public void signedOff(String reason) {
        bidFarewell(FrameType.SIGNED_OFF, payload -> Payloads.encodeReason(payload, reason));
    }

    /** The image is dropped, for this side can't go on. The caller closes next. */
    public void standbyLost(String reason) {
        bidFarewell(FrameType.STANDBY_LOST, payload -> Payloads.encodeReason(payload, reason));
    }

    /** This side wants to be the backup no more; it stays so, with its image, until the primary signs off. */
    public void relief(String reason) {
        send(FrameType.RELIEF, lastAcknowledged, payload -> Payloads.encodeReason(payload, reason));
    }

    /** This side has taken over, or is doing so. The caller closes next. */
    public void activated(String reason) {
        bidFarewell(FrameType.ACTIVATED, payload -> Payloads.encodeReason(payload, reason));
    }

    private void bidFarewell(FrameType type, Consumer<ByteBuffer> payload) {
        farewell = true;
        send(type, lastAcknowledged, payload);
    }

    private void send(FrameType type, EpochId epoch, Consumer<ByteBuffer> payload) {
        if (end != null) {
            return;
        }
        try {
            outbox.send(type, epoch, payload);
        } catch (IOException e) {
            lost(e);
        }
    }

    private void lost(IOException e) {
        boolean orderly = order.phase() == SessionOrder.Phase.ENDED;
        finish(orderly ? EndKind.SIGNED_OFF : EndKind.LOST, String.valueOf(e.getMessage()));
    }

    /** Gives back everything. A last word that was sent still arrives: it is seen off by a thread of its own. */
    @Override
    public void close() {
        finish(EndKind.CLOSED, "closed by this host");
    }

    private void finish(EndKind kind, String cause) {
        if (end != null) {
            return;
        }
        end = new End(kind, cause);
        receiver.close();
        if (kind == EndKind.CLOSED && farewell) {
            Farewell.of(transport, outbox);
        } else {
            transport.close();
        }
    }

    private static Set<FrameType> fromPrimary() {
        Set<FrameType> types = EnumSet.noneOf(FrameType.class);
        for (FrameType type : FrameType.values()) {
            boolean fromPrimary = type.sender() == FrameType.Sender.PRIMARY || type.sender() == FrameType.Sender.BOTH;
            if (fromPrimary && type != FrameType.HELLO) {
                types.add(type);
            }
        }
        return Set.copyOf(types);
    }
}
