package remus.availability;

import java.util.ArrayList;
import java.util.List;
import remus.base.Term;

/** Collects the actions of one step of a state machine and numbers its questions; lives for that one call. */
final class Turn {
    private final HostId self;
    private final String incarnation;
    private final List<OwnershipAction> actions = new ArrayList<>();
    private long asked;
    private long requested;

    Turn(Requests before) {
        self = before.self();
        incarnation = before.incarnation();
        asked = before.asked();
        requested = before.requested();
    }

    HostId self() {
        return self;
    }

    void act(OwnershipAction action) {
        actions.add(action);
    }

    void report(String reason) {
        actions.add(new OwnershipAction.Report(reason));
    }

    long ask(OwnershipAction.Question question) {
        asked++;
        actions.add(new OwnershipAction.AskArbiter(asked, question));
        return asked;
    }

    /** The id of a request that nobody made before. */
    RequestId newRequest() {
        requested++;
        return RequestId.of(self, incarnation, requested);
    }

    /** A new request of this host to own the VM alone. */
    OwnershipRecord alone(Term term) {
        return OwnershipRecord.alone(term, self, newRequest());
    }

    Requests requests() {
        return new Requests(self, incarnation, asked, requested);
    }

    List<OwnershipAction> actions() {
        return List.copyOf(actions);
    }
}
