package remus.replication;

import java.io.IOException;
import java.net.ConnectException;
import java.time.Duration;
import java.util.Set;
import remus.base.HostAddress;
import remus.base.Term;
import remus.base.Time;
import remus.wire.FrameHeader;
import remus.wire.FrameType;
import remus.wire.OwnerAnswer;
import remus.wire.Payloads;
import remus.wire.WireException;

/** Asks another host's daemon one question about a VM, on a connection of its own. Blocks at most as long as it is told. */
public final class PeerQuery {
    private final Time time;

    public PeerQuery(Time time) {
        this.time = time;
    }

    /** Asks who owns {@code vm}. */
    public PeerAnswer ask(HostAddress peer, String vm, Duration limit) {
        return exchange(peer, vm, FrameType.OWNER_QUERY, Term.NONE, limit);
    }

    /** Tells the peer that the owner of {@code term} takes over {@code vm}, and waits until it has stopped it. */
    public PeerAnswer fence(HostAddress peer, String vm, Term term, Duration limit) {
        return exchange(peer, vm, FrameType.FENCE, term, limit);
    }

    private PeerAnswer exchange(HostAddress peer, String vm, FrameType question, Term term, Duration limit) {
        FrameType expected = question == FrameType.FENCE ? FrameType.FENCED : FrameType.OWNER_ANSWER;
        try (Conversation talk = Conversation.open(peer, term, Set.of(expected), time, limit)) {
            talk.send(question, payload -> Payloads.encodeVm(payload, vm));
            FrameHeader header = talk.await();
            OwnerAnswer answer = OwnerAnswer.decode(talk.payload(), header.term());
            if (!answer.vm().equals(vm)) {
                throw WireException.corrupt("asked about VM '" + vm + "', told about '" + answer.vm() + "'");
            }
            return new PeerAnswer.Answered(answer);
        } catch (ConnectException e) {
            return new PeerAnswer.Refused(peer + ": " + e.getMessage());
        } catch (IOException e) {
            return new PeerAnswer.Unreachable(peer + ": " + e.getMessage());
        } catch (WireException e) {
            return new PeerAnswer.Unreachable(peer + " gave no answer that makes sense: " + e.getMessage());
        }
    }
}
