package remus.replication;

import java.io.IOException;
import java.time.Duration;
import java.util.Set;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.base.Time;
import remus.wire.FrameHeader;
import remus.wire.FrameType;
import remus.wire.Hello;
import remus.wire.Payloads;
import remus.wire.Welcome;
import remus.wire.WireException;

/**
 * Signs off the backup of a session whose primary daemon was started anew: that daemon has nothing left to go on with, but
 * the backup knows it by the session's term and lets go of its image when it is asked to. Thread-safe.
 */
public final class SessionFarewell {
    private static final int BUFFER_BYTES = 16 << 10;
    private static final Set<FrameType> ANSWERS =
            Set.of(FrameType.WELCOME, FrameType.HEARTBEAT, FrameType.SIGNED_OFF, FrameType.REFUSAL, FrameType.RELIEF);

    private final HostAddress backup;
    private final Hello hello;
    private final Term session;
    private final Time time;

    /** @param hello as the session began, in mode RESUME; of definition and files nothing is needed any more */
    public SessionFarewell(HostAddress backup, Hello hello, Term session, Time time) {
        this.backup = backup;
        this.hello = hello;
        this.session = session;
        this.time = time;
    }

    /**
     * Blocks at most {@code limit}.
     *
     * @return whether the backup has dropped its image and never will activate; false when it has not, or nothing is known
     */
    public boolean say(String reason, Duration limit) {
        long deadline = time.nanos() + limit.toNanos();
        try (Transport transport = Transport.connecting(backup)) {
            while (!transport.awaitConnected(deadline - time.nanos())) {
                if (time.nanos() - deadline >= 0) {
                    return false;
                }
            }
            Outbox outbox = new Outbox(transport, session);
            outbox.send(FrameType.HELLO, EpochId.NONE, hello::encode);
            try (FrameReceiver receiver = new FrameReceiver(transport, ANSWERS, BUFFER_BYTES)) {
                return isSignedOff(transport, outbox, receiver, reason, deadline);
            }
        } catch (IOException | WireException e) {
            return false; // it is asked again what it has
        }
    }

    private boolean isSignedOff(
            Transport transport, Outbox outbox, FrameReceiver receiver, String reason, long deadline)
            throws IOException, WireException {
        while (true) {
            FrameHeader header = receiver.next();
            if (header != null) {
                switch (header.type()) {
                    case WELCOME -> {
                        Welcome.decode(receiver.payload());
                        outbox.send(
                                FrameType.SIGN_OFF, EpochId.NONE, payload -> Payloads.encodeReason(payload, reason));
                    }
                    case SIGNED_OFF -> {
                        return header.term().equals(session);
                    }
                    case REFUSAL -> {
                        return false; // of this connection; what the backup holds is another question
                    }
                    default -> {
                        // A sign of life, until the answer comes.
                    }
                }
            } else if (!receiver.fill()) {
                long left = deadline - time.nanos();
                if (left <= 0) {
                    return false;
                }
                transport.await(true, !outbox.isEmpty(), left);
                outbox.flush();
            }
        }
    }
}
