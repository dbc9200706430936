package remus.availability;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static remus.availability.Talk.ALPHA;
import static remus.availability.Talk.BETA;
import static remus.availability.Talk.OTHERS_REQUEST;

import java.util.List;
import org.junit.jupiter.api.Test;
import remus.availability.BackupState.Activating;
import remus.availability.BackupState.Checking;
import remus.availability.BackupState.Confirming;
import remus.availability.BackupState.Dropped;
import remus.availability.BackupState.Receiving;
import remus.availability.BackupState.Requesting;
import remus.availability.BackupState.Standing;
import remus.availability.BackupState.Taken;
import remus.availability.OwnershipAction.Acknowledge;
import remus.availability.OwnershipAction.AcknowledgeNoMore;
import remus.availability.OwnershipAction.AnswerSignedOff;
import remus.availability.OwnershipAction.AskArbiter;
import remus.availability.OwnershipAction.BecomePrimary;
import remus.availability.OwnershipAction.DropImage;
import remus.availability.OwnershipAction.Flow;
import remus.availability.OwnershipAction.KillGuest;
import remus.availability.OwnershipAction.LoadStandby;
import remus.availability.OwnershipAction.Question;
import remus.availability.OwnershipAction.RefuseSession;
import remus.availability.OwnershipAction.TellPrimaryActivating;
import remus.availability.OwnershipAction.Welcome;
import remus.base.EpochId;
import remus.base.Term;

class BackupOwnershipTest {
    private static final OwnershipRecord PROTECTED =
            OwnershipRecord.protectedBy(new Term(2), ALPHA, BETA, OTHERS_REQUEST);
    private static final OwnershipRecord OLDER = OwnershipRecord.alone(new Term(1), ALPHA, OTHERS_REQUEST);
    private static final OwnershipRecord ALPHA_ALONE = OwnershipRecord.alone(new Term(3), ALPHA, OTHERS_REQUEST);
    private static final OwnershipRecord TAKEN_BACK = OwnershipRecord.alone(new Term(4), ALPHA, OTHERS_REQUEST);

    /** Host beta, which backs alpha's VM up in session 2. */
    private static final class BackupTalk extends Talk {
        private BackupState state;

        private BackupTalk() {
            Step<BackupState> step = BackupOwnership.offered(Requests.first(BETA, "i1"), new Term(2), ALPHA);
            state = step.state();
            took(step.actions());
        }

        static BackupTalk receiving() {
            return new BackupTalk();
        }

        static BackupTalk standing() {
            BackupTalk talk = receiving();
            talk.whole(2, 1);
            return talk;
        }

        static BackupTalk checking() {
            BackupTalk talk = standing();
            talk.on(new BackupEvent.PrimaryLost("silence", false));
            return talk;
        }

        static BackupTalk requesting() {
            BackupTalk talk = checking();
            talk.found(PROTECTED);
            return talk;
        }

        static BackupTalk activating() {
            BackupTalk talk = requesting();
            talk.granted();
            return talk;
        }

        static BackupTalk confirming() {
            BackupTalk talk = activating();
            talk.on(new BackupEvent.StandbyRuns());
            return talk;
        }

        void on(BackupEvent event) {
            Step<BackupState> step = BackupOwnership.on(state, event);
            state = step.state();
            took(step.actions());
        }

        @Override
        void answered(long ask, Arbiter.Outcome outcome) {
            on(new BackupEvent.Answered(ask, outcome));
        }

        @Override
        void retry() {
            on(new BackupEvent.RetryDue());
        }

        void whole(long session, long epoch) {
            on(new BackupEvent.CheckpointWhole(new Term(session), new EpochId(epoch)));
        }

        <R extends BackupState.Role> R role(Class<R> kind) {
            return assertInstanceOf(kind, state.role());
        }
    }

    // ---- acknowledging

    @Test
    void aBackupAcknowledgesWhatIsWholeInItsOwnSessionOnly() {
        BackupTalk beta = BackupTalk.receiving();
        beta.whole(1, 1);
        beta.assertDidNothing();
        beta.whole(2, 1);
        assertEquals(List.of(new Acknowledge(new Term(2), new EpochId(1))), beta.actions);
        beta.role(Standing.class);
        beta.on(new BackupEvent.PrimaryReturned(new Term(2)));
        assertEquals(List.of(new Welcome(new Term(2), new EpochId(1))), beta.actions);
        beta.on(new BackupEvent.PrimaryReturned(new Term(1)));
        assertTrue(beta.did(RefuseSession.class));
    }

    @Test
    void aBackupNeverAcknowledgesAgainFromTheMomentItSendsTheRequestToActivate() {
        BackupTalk beta = BackupTalk.checking();
        beta.whole(2, 2);
        assertTrue(beta.did(new Acknowledge(new Term(2), new EpochId(2))), "nothing was asked for yet");
        beta.found(PROTECTED);
        assertEquals(new AcknowledgeNoMore(new Term(2)), beta.actions.get(0), "before the request");
        assertInstanceOf(AskArbiter.class, beta.actions.get(1));
        for (BackupTalk later :
                List.of(beta, BackupTalk.activating(), BackupTalk.confirming(), BackupTalk.requesting())) {
            later.whole(2, 3);
            later.assertDidNothing();
            later.on(new BackupEvent.PrimaryReturned(new Term(2)));
            assertEquals(List.of(new TellPrimaryActivating(new Term(2))), later.actions);
        }
    }

    // ---- asking

    @Test
    void withoutAWholeCheckpointItNeverAsks() {
        BackupTalk beta = BackupTalk.receiving();
        beta.on(new BackupEvent.PrimaryLost("silence", false));
        assertFalse(beta.did(AskArbiter.class));
        beta.role(Dropped.class);
    }

    @Test
    void itActivatesOnlyFromARecordThatIsProtectedNamesItAndCarriesItsSession() {
        HostId gamma = new HostId("gamma");
        for (OwnershipRecord other : List.of(
                ALPHA_ALONE,
                OwnershipRecord.alone(new Term(2), ALPHA, OTHERS_REQUEST),
                OwnershipRecord.protectedBy(new Term(3), ALPHA, BETA, OTHERS_REQUEST),
                OwnershipRecord.protectedBy(new Term(2), ALPHA, gamma, OTHERS_REQUEST),
                OwnershipRecord.activating(new Term(3), gamma, ALPHA, OTHERS_REQUEST))) {
            BackupTalk beta = BackupTalk.checking();
            beta.found(other);
            assertTrue(beta.did(DropImage.class), other::toString);
            beta.role(Dropped.class);
        }
        BackupTalk beta = BackupTalk.requesting();
        assertEquals(PROTECTED, beta.set().expected());
        OwnershipRecord next = beta.set().next();
        assertEquals(OwnershipRecord.activating(new Term(3), BETA, ALPHA, next.requestId()), next);
        assertFalse(beta.did(LoadStandby.class), "not before it is granted");
    }

    /** A record older than B's session means "not yet protected": B keeps its image and waits. */
    @Test
    void aRecordOlderThanTheSessionKeepsTheImageWaiting() {
        BackupTalk beta = BackupTalk.checking();
        for (int i = 0; i < 10; i++) {
            beta.found(OLDER);
            assertFalse(beta.did(DropImage.class));
            beta.role(Checking.class);
            beta.retry();
        }
        beta.found(PROTECTED);
        beta.role(Requesting.class);
    }

    @Test
    void aPrimaryThatReturnsBeforeTheRequestIsWelcome() {
        BackupTalk beta = BackupTalk.checking();
        beta.on(new BackupEvent.PrimaryReturned(new Term(2)));
        assertTrue(beta.did(Welcome.class));
        beta.role(Standing.class);
        beta.answered(beta.ask(), new Arbiter.ReadOutcome.Found(PROTECTED));
        beta.assertDidNothing();
    }

    @Test
    void aTakeOverByCommandGoesOnThoughThePrimaryLives() {
        BackupTalk beta = BackupTalk.standing();
        beta.on(new BackupEvent.PrimaryLost("operator", true));
        beta.on(new BackupEvent.PrimaryReturned(new Term(2)));
        beta.role(Checking.class);
        beta.found(PROTECTED);
        beta.role(Requesting.class);
    }

    /** Unchanged proves nothing, for the request may still land: repeat it. */
    @Test
    void anUnchangedRecordAfterAnUnknownOutcomeProvesNothing() {
        BackupTalk beta = BackupTalk.requesting();
        Question.Set first = beta.set();
        beta.unknown();
        beta.retry();
        beta.found(PROTECTED);
        assertEquals(first, beta.set(), "the same request again, under the same id");
        beta.role(Requesting.class);
        beta.on(new BackupEvent.PrimaryReturned(new Term(2)));
        assertFalse(beta.did(Welcome.class));
    }

    @Test
    void aRequestThatLandedInSpiteOfALostReplyIsRecognised() {
        BackupTalk beta = BackupTalk.requesting();
        OwnershipRecord wanted = beta.set().next();
        beta.unknown();
        beta.retry();
        beta.found(wanted);
        assertTrue(beta.did(LoadStandby.class));
        beta.role(Activating.class);
    }

    @Test
    void whileTheArbiterIsAwayNobodyActivates() {
        BackupTalk beta = BackupTalk.checking();
        for (int i = 0; i < 10; i++) {
            beta.unavailable();
            beta.role(Checking.class);
            beta.retry();
        }
        beta.found(PROTECTED);
        for (int i = 0; i < 10; i++) {
            beta.unknown();
            assertFalse(beta.did(LoadStandby.class));
            beta.retry();
            beta.found(PROTECTED);
        }
        beta.granted();
        assertTrue(beta.did(LoadStandby.class));
    }

    @Test
    void aRefusedBackupDropsItsImage() {
        BackupTalk beta = BackupTalk.requesting();
        beta.refused(ALPHA_ALONE);
        assertTrue(beta.did(DropImage.class));
        beta.role(Dropped.class);
    }

    // ---- activating

    /** If loading fails, B keeps its image and the activating record and tries again with a fresh standby. */
    @Test
    void aFailedLoadKeepsImageAndRecordAndTriesAgain() {
        BackupTalk beta = BackupTalk.activating();
        OwnershipRecord record = beta.role(Activating.class).record();
        for (int i = 0; i < 10; i++) {
            beta.on(new BackupEvent.LoadFailed("no memory"));
            assertTrue(beta.did(LoadStandby.class));
            assertFalse(beta.did(DropImage.class));
            assertEquals(record, beta.role(Activating.class).record());
        }
        beta.found(record);
        beta.on(new BackupEvent.StandbyRuns());
        beta.role(Confirming.class);
    }

    @Test
    void aFailedLoadFindsOutThatTheVmWasTakenBack() {
        BackupTalk beta = BackupTalk.activating();
        beta.on(new BackupEvent.LoadFailed("no memory"));
        beta.found(TAKEN_BACK);
        assertTrue(beta.did(DropImage.class));
        beta.role(Dropped.class);
    }

    @Test
    void nothingOfTheActivatedVmLeavesBeforeTheRecordSaysThatItIsAlone() {
        BackupTalk beta = BackupTalk.confirming();
        assertFalse(beta.did(Flow.class));
        beta.unknown();
        assertFalse(beta.did(Flow.class));
        beta.retry();
        beta.found(beta.role(Confirming.class).record());
        OwnershipRecord record = beta.granted();
        assertEquals(OwnershipRecord.alone(new Term(4), BETA, record.requestId()), record);
        assertEquals(new Flow(), beta.actions.getFirst());
        beta.role(Taken.class);
        BecomePrimary become = (BecomePrimary) beta.actions.stream()
                .filter(BecomePrimary.class::isInstance)
                .findFirst()
                .orElseThrow();
        assertEquals(new PrimaryState.Alone(record, false), become.state().role());
        assertTrue(become.state().requests().requested() >= 2, "request ids go on");
    }

    @Test
    void anActivatedVmThatWasTakenBackEndsAndNothingOfItEverLeaves() {
        BackupTalk beta = BackupTalk.confirming();
        beta.refused(TAKEN_BACK);
        assertFalse(beta.did(Flow.class));
        assertTrue(beta.did(KillGuest.class));
        beta.role(Dropped.class);
    }

    @Test
    void anActivatedGuestThatDiesIsLoadedAgainFromTheImage() {
        BackupTalk beta = BackupTalk.confirming();
        OwnershipRecord landed = beta.set().next();
        beta.on(new BackupEvent.GuestDied("killed"));
        assertTrue(beta.did(LoadStandby.class));
        assertFalse(beta.did(DropImage.class));
        beta.on(new BackupEvent.StandbyRuns());
        beta.refused(landed);
        assertEquals(landed, beta.set().expected(), "the earlier request has landed, the record is its own");
        beta.granted();
        assertTrue(beta.did(Flow.class));
    }

    // ---- ends and new sessions

    @Test
    void aSignedOffBackupDropsItsImageUnlessItHasAskedToActivate() {
        BackupTalk beta = BackupTalk.standing();
        beta.on(new BackupEvent.SignOffReceived(new Term(2), "operator"));
        assertTrue(beta.did(AnswerSignedOff.class));
        assertTrue(beta.did(DropImage.class));
        for (BackupTalk later : List.of(BackupTalk.requesting(), BackupTalk.activating(), BackupTalk.confirming())) {
            later.on(new BackupEvent.SignOffReceived(new Term(2), "operator"));
            assertEquals(List.of(new TellPrimaryActivating(new Term(2))), later.actions);
        }
    }

    @Test
    void onlyASessionBeyondItsReachTakesTheImagesPlace() {
        assertAccepts(BackupTalk.standing(), 3);
        assertRefuses(BackupTalk.standing(), 2);
        assertRefuses(BackupTalk.checking(), 1);
        assertAccepts(BackupTalk.receiving(), 2);
        assertAccepts(BackupTalk.requesting(), 4);
        assertRefuses(BackupTalk.activating(), 4);
        assertAccepts(BackupTalk.activating(), 5);
        assertRefuses(BackupTalk.confirming(), 9);
    }

    private static void assertAccepts(BackupTalk beta, long session) {
        beta.on(new BackupEvent.SessionOffered(new Term(session), ALPHA));
        assertEquals(new Term(session), beta.role(Receiving.class).session().term());
    }

    private static void assertRefuses(BackupTalk beta, long session) {
        beta.on(new BackupEvent.SessionOffered(new Term(session), ALPHA));
        assertTrue(beta.did(RefuseSession.class));
        assertFalse(beta.did(DropImage.class));
    }
}
