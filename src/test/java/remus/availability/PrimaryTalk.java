package remus.availability;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import remus.availability.PrimaryState.Output;
import remus.base.EpochId;
import remus.base.Term;

/** The primary's side in a test: host alpha. */
final class PrimaryTalk extends Talk {
    private PrimaryState state;

    private PrimaryTalk(Step<PrimaryState> step) {
        state = step.state();
        took(step.actions());
    }

    static PrimaryTalk starting(boolean force) {
        return new PrimaryTalk(PrimaryOwnership.start(Requests.first(ALPHA, "i1"), force));
    }

    static PrimaryTalk restarted() {
        return new PrimaryTalk(PrimaryOwnership.restarted(Requests.first(ALPHA, "i2")));
    }

    /** Alone in term 1. */
    static PrimaryTalk alone() {
        PrimaryTalk talk = starting(false);
        talk.answered(talk.ask(), new Arbiter.ReadOutcome.Absent());
        talk.granted();
        return talk;
    }

    /** Alone in term 1, copying memory to beta in session 2. */
    static PrimaryTalk synchronizing() {
        PrimaryTalk talk = alone();
        OwnershipRecord record = talk.role(PrimaryState.Alone.class).record();
        talk.on(new PrimaryEvent.ProtectRequested(BETA));
        talk.found(record);
        return talk;
    }

    /** Alone in term 1, the first full checkpoint of session 2 is on its way. */
    static PrimaryTalk joining() {
        PrimaryTalk talk = synchronizing();
        talk.on(new PrimaryEvent.FirstCheckpointPaused(new Term(2)));
        return talk;
    }

    /** Beta holds the first checkpoint of session 2; the record is asked to name it. */
    static PrimaryTalk entering() {
        PrimaryTalk talk = joining();
        talk.acknowledged(2, 1);
        return talk;
    }

    /** Protected by beta in term 2. */
    static PrimaryTalk guarded() {
        PrimaryTalk talk = entering();
        talk.granted();
        return talk;
    }

    void on(PrimaryEvent event) {
        Step<PrimaryState> step = PrimaryOwnership.on(state, event);
        state = step.state();
        took(step.actions());
    }

    @Override
    void answered(long ask, Arbiter.Outcome outcome) {
        on(new PrimaryEvent.Answered(ask, outcome));
    }

    @Override
    void retry() {
        on(new PrimaryEvent.RetryDue());
    }

    void acknowledged(long session, long epoch) {
        on(new PrimaryEvent.Acknowledged(new Term(session), new EpochId(epoch)));
    }

    void reconnected(long session, long epoch) {
        on(new PrimaryEvent.Reconnected(new Term(session), new EpochId(epoch)));
    }

    void lostBackup(long session) {
        on(new PrimaryEvent.BackupLost(new Term(session), "no acknowledgement"));
    }

    <R extends PrimaryState.Role> R role(Class<R> kind) {
        return assertInstanceOf(kind, state.role());
    }

    void assertRole(Class<? extends PrimaryState.Role> kind, Output output) {
        role(kind);
        assertEquals(output, state.output());
    }
}
