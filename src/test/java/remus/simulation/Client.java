package remus.simulation;

import java.util.List;
import remus.simulation.Network.Node;

/**
 * A client that sends one numbered request after the other, each again until it is answered, and checks what it is told:
 * a guest that has forgotten something that this client has seen would say so.
 */
final class Client {
    /** Where a frame on the client's network arrives. */
    interface Tap {
        Node node();

        void input(byte[] frame);
    }

    private final Scheduler scheduler;
    private final Network network;
    private final History history;
    private final List<? extends Tap> taps;
    private long lastSeen;
    private long answered;
    private long digest;
    private long request = 1;

    Client(Scheduler scheduler, Network network, History history, List<? extends Tap> taps) {
        this.scheduler = scheduler;
        this.network = network;
        this.history = history;
        this.taps = taps;
        send();
    }

    /** Requests that were answered. */
    long answered() {
        return answered;
    }

    private void send() {
        long sending = request;
        byte[] frame = Packet.request(sending).bytes();
        for (Tap tap : taps) {
            network.datagram(Node.CLIENT, tap.node(), () -> tap.input(frame));
        }
        scheduler.after(scheduler.span(30 * Scheduler.MILLISECOND, 80 * Scheduler.MILLISECOND), () -> {
            if (request == sending) {
                send();
            }
        });
    }

    /** A frame of the guest's comes in. */
    void receive(Packet packet) {
        if (packet.number() <= lastSeen && history.contains(lastSeen, packet.number())) {
            return; // known already, as TCP would see by its sequence numbers
        }
        lastSeen = packet.number();
        Violation.unless(
                packet.counter() >= answered,
                Rule.SEEN,
                "the client has the answer to request %d, and the guest now says that it has carried out %d",
                answered,
                packet.counter());
        if (packet.counter() == answered) {
            Violation.unless(packet.digest() == digest, Rule.SEEN, "after request %d the digest differs", answered);
        }
        if (request > answered && packet.request() == request && packet.counter() == request) {
            digest = Packet.digest(digest, request);
            Violation.unless(packet.digest() == digest, Rule.SEEN, "after request %d the digest differs", request);
            answered = request;
            scheduler.after(scheduler.span(0, 15 * Scheduler.MILLISECOND), () -> {
                request = answered + 1;
                send();
            });
        }
    }

    /** The VM was booted anew: the client begins anew, too. */
    void beginAnew() {
        lastSeen = 0;
        answered = 0;
        digest = 0;
        request = 1;
        send();
    }
}
