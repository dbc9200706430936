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
import remus.availability.OwnershipAction.AwaitActivation;
import remus.availability.OwnershipAction.BootGuest;
import remus.availability.OwnershipAction.Discard;
import remus.availability.OwnershipAction.EndSession;
import remus.availability.OwnershipAction.Flow;
import remus.availability.OwnershipAction.Hold;
import remus.availability.OwnershipAction.KillGuest;
import remus.availability.OwnershipAction.PauseGuest;
import remus.availability.OwnershipAction.Question;
import remus.availability.OwnershipAction.Reconnect;
import remus.availability.OwnershipAction.RefuseSession;
import remus.availability.OwnershipAction.Release;
import remus.availability.OwnershipAction.ReportGuestDead;
import remus.availability.OwnershipAction.ResumeGuest;
import remus.availability.OwnershipAction.SignOff;
import remus.availability.OwnershipAction.StartSession;
import remus.availability.OwnershipRecord.Phase;
import remus.availability.PrimaryState.Alone;
import remus.availability.PrimaryState.Bequeathing;
import remus.availability.PrimaryState.Entering;
import remus.availability.PrimaryState.GoingAlone;
import remus.availability.PrimaryState.Gone;
import remus.availability.PrimaryState.Joining;
import remus.availability.PrimaryState.Leaving;
import remus.availability.PrimaryState.Opening;
import remus.availability.PrimaryState.Output;
import remus.availability.PrimaryState.Protected;
import remus.availability.PrimaryState.Synchronizing;
import remus.availability.PrimaryState.Waiting;
import remus.availability.PrimaryState.Woken;
import remus.base.EpochId;
import remus.base.Term;

class PrimaryOwnershipTest {
    private static final OwnershipRecord BETA_ACTIVATES =
            OwnershipRecord.activating(new Term(3), BETA, ALPHA, OTHERS_REQUEST);
    private static final OwnershipRecord BETA_ALONE = OwnershipRecord.alone(new Term(4), BETA, OTHERS_REQUEST);

    // ---- start

    @Test
    void aVmWithoutARecordStartsInTermOne() {
        PrimaryTalk alpha = PrimaryTalk.starting(false);
        alpha.answered(alpha.ask(), new Arbiter.ReadOutcome.Absent());
        assertFalse(alpha.did(BootGuest.class), "not before it is granted");
        OwnershipRecord record = alpha.granted();
        assertEquals(OwnershipRecord.alone(new Term(1), ALPHA, record.requestId()), record);
        assertEquals(List.of(new BootGuest(), new Flow()), alpha.actions);
        alpha.assertRole(Alone.class, Output.FLOWS);
    }

    @Test
    void aVmThatAnotherHostOwnsOrBacksUpIsNotStarted() {
        for (OwnershipRecord record : List.of(
                BETA_ALONE, BETA_ACTIVATES, OwnershipRecord.protectedBy(new Term(2), ALPHA, BETA, OTHERS_REQUEST))) {
            PrimaryTalk alpha = PrimaryTalk.starting(false);
            alpha.found(record);
            alpha.assertRole(Gone.class, Output.DISCARDED);
            assertFalse(alpha.did(BootGuest.class));
        }
    }

    @Test
    void aVmThatWasAloneHereStartsInTheNextTerm() {
        PrimaryTalk alpha = PrimaryTalk.starting(false);
        alpha.found(OwnershipRecord.alone(new Term(7), ALPHA, OTHERS_REQUEST));
        assertEquals(new Term(8), alpha.granted().term());
        assertTrue(alpha.did(BootGuest.class));
    }

    @Test
    void forceHoldsForTheRecordThatIsThereAndNotForOneMadeSince() {
        PrimaryTalk alpha = PrimaryTalk.starting(true);
        alpha.found(BETA_ALONE);
        assertEquals(BETA_ALONE, alpha.set().expected());
        alpha.refused(OwnershipRecord.alone(new Term(5), BETA, OTHERS_REQUEST));
        alpha.role(Gone.class);
    }

    // ---- protect

    @Test
    void protectingRunsUnderTheRecordsNextTermAndEndsInThatRecord() {
        PrimaryTalk alpha = PrimaryTalk.alone();
        OwnershipRecord alone = alpha.role(Alone.class).record();
        alpha.on(new PrimaryEvent.ProtectRequested(BETA));
        alpha.assertRole(Opening.class, Output.FLOWS);
        alpha.found(alone);
        assertTrue(alpha.did(new StartSession(new Term(2), BETA)));
        alpha.assertRole(Synchronizing.class, Output.FLOWS);
        alpha.on(new PrimaryEvent.FirstCheckpointPaused(new Term(2)));
        assertEquals(List.of(new Hold()), alpha.actions, "before the guest runs again");
        alpha.assertRole(Joining.class, Output.HELD);
        alpha.acknowledged(2, 1);
        assertFalse(alpha.did(Release.class), "the record does not name the backup yet");
        alpha.assertRole(Entering.class, Output.HELD);
        assertEquals(alone, alpha.set().expected());
        alpha.acknowledged(2, 2);
        OwnershipRecord record = alpha.granted();
        assertEquals(OwnershipRecord.protectedBy(new Term(2), ALPHA, BETA, record.requestId()), record);
        assertTrue(alpha.did(new Release(new EpochId(2))));
        alpha.assertRole(Protected.class, Output.BY_COMMITS);
    }

    /** A term of its own, never reused, not even after a session given up. */
    @Test
    void aGivenUpSessionsTermIsNeverUsedAgain() {
        PrimaryTalk alpha = PrimaryTalk.synchronizing();
        alpha.lostBackup(2);
        alpha.assertRole(Alone.class, Output.FLOWS);
        alpha.on(new PrimaryEvent.ProtectRequested(BETA));
        assertEquals(Phase.ALONE, alpha.set().next().phase());
        assertEquals(new Term(2), alpha.granted().term(), "the record uses the term up");
        assertTrue(alpha.did(new StartSession(new Term(3), BETA)));
    }

    @Test
    void aRenewalThatWasCalledOffAndLandsAllTheSameLetsNoTermBeUsedAgain() {
        PrimaryTalk alpha = PrimaryTalk.synchronizing();
        alpha.lostBackup(2);
        alpha.on(new PrimaryEvent.ProtectRequested(BETA));
        OwnershipRecord renewed = alpha.set().next();
        alpha.on(new PrimaryEvent.UnprotectRequested("changed my mind"));
        alpha.assertRole(Alone.class, Output.FLOWS);
        alpha.on(new PrimaryEvent.ProtectRequested(BETA));
        alpha.refused(renewed);
        assertEquals(new Term(3), alpha.granted().term());
        assertTrue(alpha.did(new StartSession(new Term(4), BETA)));
    }

    /** From the first full checkpoint sent, A flows freely again only after a new change alone. */
    @Test
    void onceTheFirstFullCheckpointWasSentOutputFlowsOnlyByANewRecord() {
        for (PrimaryTalk alpha : List.of(PrimaryTalk.joining(), PrimaryTalk.entering())) {
            alpha.lostBackup(2);
            assertFalse(alpha.did(Flow.class));
            assertTrue(alpha.did(EndSession.class));
            alpha.assertRole(GoingAlone.class, Output.HELD);
            assertEquals(Phase.ALONE, alpha.set().next().phase());
            assertEquals(new Term(2), alpha.granted().term());
            assertTrue(alpha.did(Flow.class));
            alpha.assertRole(Alone.class, Output.FLOWS);
        }
    }

    @Test
    void acknowledgementsOfAnotherSessionMeanNothing() {
        PrimaryTalk joining = PrimaryTalk.joining();
        joining.acknowledged(1, 5);
        joining.role(Joining.class);
        PrimaryTalk alpha = PrimaryTalk.guarded();
        alpha.acknowledged(1, 5);
        alpha.assertDidNothing();
        alpha.reconnected(3, 5);
        alpha.assertDidNothing();
        alpha.acknowledged(2, 5);
        assertEquals(List.of(new Release(new EpochId(5))), alpha.actions);
    }

    @Test
    void theHelloOfAReconnectionCountsAsAnAcknowledgement() {
        PrimaryTalk alpha = PrimaryTalk.guarded();
        alpha.reconnected(2, 4);
        assertEquals(List.of(new Release(new EpochId(4))), alpha.actions);
        PrimaryTalk joining = PrimaryTalk.joining();
        joining.reconnected(2, 0);
        joining.role(Joining.class);
        joining.reconnected(2, 1);
        joining.role(Entering.class);
    }

    // ---- backup lost

    @Test
    void aPrimaryWithoutItsBackupHoldsUntilTheRecordSaysThatItIsAlone() {
        PrimaryTalk alpha = PrimaryTalk.guarded();
        alpha.lostBackup(2);
        alpha.assertRole(GoingAlone.class, Output.HELD);
        alpha.acknowledged(2, 9);
        alpha.assertDidNothing();
        assertEquals(new Term(3), alpha.granted().term());
        assertTrue(alpha.did(Flow.class));
        assertTrue(alpha.did(EndSession.class));
        alpha.assertRole(Alone.class, Output.FLOWS);
    }

    /** Refused: it reads; it has lost only if another host is the owner. */
    @Test
    void aRefusedHostHasLostOnlyIfAnotherHostIsTheOwner() {
        PrimaryTalk loser = PrimaryTalk.guarded();
        loser.lostBackup(2);
        loser.refused(BETA_ACTIVATES);
        assertEquals(List.of(new Discard(), new PauseGuest()), loser.actions.subList(0, 2));
        loser.assertRole(Waiting.class, Output.DISCARDED);

        PrimaryTalk owner = PrimaryTalk.entering();
        OwnershipRecord landed = owner.set().next();
        owner.lostBackup(2);
        owner.refused(landed);
        assertFalse(owner.did(PauseGuest.class));
        owner.assertRole(GoingAlone.class, Output.HELD);
    }

    /** If the record is still its own, it asks again on that term. */
    @Test
    void aRefusedOwnerAsksAgainOnTheTermThatItFinds() {
        PrimaryTalk alpha = PrimaryTalk.entering();
        OwnershipRecord landed = alpha.set().next();
        alpha.lostBackup(2);
        alpha.refused(landed);
        assertEquals(landed, alpha.set().expected());
        assertEquals(new Term(3), alpha.granted().term());
        alpha.assertRole(Alone.class, Output.FLOWS);
    }

    /** Unchanged proves nothing, for the request may still land: repeat it ... */
    @Test
    void anUnchangedRecordAfterAnUnknownOutcomeProvesNothing() {
        PrimaryTalk alpha = PrimaryTalk.entering();
        OwnershipRecord alone = alpha.role(Entering.class).record();
        Question.Set first = alpha.set();
        alpha.unknown();
        alpha.retry();
        alpha.found(alone);
        assertEquals(first, alpha.set(), "the same request again, under the same id");
        alpha.assertRole(Entering.class, Output.HELD);
        assertFalse(alpha.did(Flow.class));
    }

    /** ... or supersede it with another set on the same term, before acting on the old state. */
    @Test
    void aRequestThatMayStillLandIsSupersededOnTheSameTerm() {
        PrimaryTalk alpha = PrimaryTalk.entering();
        OwnershipRecord alone = alpha.role(Entering.class).record();
        alpha.unknown();
        alpha.lostBackup(2);
        assertEquals(alone, alpha.set().expected());
        assertEquals(Phase.ALONE, alpha.set().next().phase());
        alpha.assertRole(GoingAlone.class, Output.HELD);
    }

    @Test
    void aRequestThatLandedInSpiteOfALostReplyIsRecognised() {
        PrimaryTalk alpha = PrimaryTalk.entering();
        OwnershipRecord wanted = alpha.set().next();
        alpha.unknown();
        alpha.retry();
        alpha.found(wanted);
        assertTrue(alpha.did(new Release(new EpochId(1))));
        alpha.role(Protected.class);

        alpha.lostBackup(2);
        OwnershipRecord alone = alpha.set().next();
        alpha.unknown();
        alpha.retry();
        alpha.found(alone);
        alpha.assertRole(Alone.class, Output.FLOWS);
    }

    @Test
    void anAnswerToAnEarlierQuestionMeansNothing() {
        PrimaryTalk alpha = PrimaryTalk.entering();
        long early = alpha.ask();
        alpha.lostBackup(2);
        alpha.answered(early, new Arbiter.SetOutcome.Done());
        alpha.assertDidNothing();
        alpha.assertRole(GoingAlone.class, Output.HELD);
    }

    // ---- outage of the arbiter

    @Test
    void protectedAndAloneVmsNeedNoArbiterAndATransitionWaitsForIt() {
        PrimaryTalk alpha = PrimaryTalk.guarded();
        alpha.acknowledged(2, 2);
        assertEquals(List.of(new Release(new EpochId(2))), alpha.actions);
        alpha.lostBackup(2);
        Question.Set first = alpha.set();
        for (int i = 0; i < 100; i++) {
            if (alpha.question() instanceof Question.Set) {
                alpha.unknown();
            } else {
                alpha.unavailable();
            }
            alpha.assertRole(GoingAlone.class, Output.HELD);
            alpha.retry();
        }
        alpha.found(first.expected() == null ? BETA_ALONE : first.expected());
        assertEquals(first, alpha.set());
        alpha.granted();
        alpha.assertRole(Alone.class, Output.FLOWS);
    }

    /** It sent no request to activate before that hello, so whatever it holds is in what it may activate later. */
    @Test
    void aBackupThatIsBackLetsCommitsReleaseWhileTheArbiterIsAway() {
        PrimaryTalk alpha = PrimaryTalk.guarded();
        alpha.lostBackup(2);
        alpha.unknown();
        alpha.reconnected(2, 3);
        assertTrue(alpha.did(new Release(new EpochId(3))));
        alpha.acknowledged(2, 4);
        assertTrue(alpha.did(new Release(new EpochId(4))));
        alpha.assertRole(GoingAlone.class, Output.BY_COMMITS);
        alpha.lostBackup(2);
        alpha.acknowledged(2, 5);
        alpha.assertDidNothing();
    }

    @Test
    void onlyARequestThatCertainlyWasRefusedLeavesTheVmProtected() {
        PrimaryTalk certain = PrimaryTalk.guarded();
        OwnershipRecord record = certain.role(Protected.class).record();
        certain.lostBackup(2);
        certain.refused(record);
        certain.role(GoingAlone.class);
        certain.reconnected(2, 3);
        assertEquals(record, certain.role(Protected.class).record());

        PrimaryTalk doubtful = PrimaryTalk.guarded();
        doubtful.lostBackup(2);
        doubtful.unknown();
        doubtful.retry();
        doubtful.found(record);
        doubtful.refused(record);
        doubtful.reconnected(2, 3);
        doubtful.role(GoingAlone.class);
    }

    // ---- losing, waiting, taking back

    @Test
    void theLoserKillsItsGuestOnlyWhenTheOtherOneRuns() {
        PrimaryTalk alpha = waitingFor(BETA_ACTIVATES);
        assertFalse(alpha.did(KillGuest.class));
        alpha.retry();
        alpha.found(BETA_ACTIVATES);
        assertFalse(alpha.did(KillGuest.class));
        alpha.retry();
        alpha.found(BETA_ALONE);
        assertTrue(alpha.did(KillGuest.class));
        alpha.role(Gone.class);
    }

    @Test
    void aLivingLoserTakesAnActivatingRecordBackAfterTheDeadlineOnly() {
        PrimaryTalk alpha = waitingFor(BETA_ACTIVATES);
        assertTrue(alpha.did(new AwaitActivation(new Term(3))));
        alpha.on(new PrimaryEvent.ActivationOverdue(new Term(2)));
        alpha.retry();
        alpha.found(BETA_ACTIVATES);
        assertInstanceOf(Question.Read.class, alpha.question(), "the deadline of another record");
        alpha.on(new PrimaryEvent.ActivationOverdue(new Term(3)));
        alpha.retry();
        alpha.found(BETA_ACTIVATES);
        assertEquals(BETA_ACTIVATES, alpha.set().expected());
        assertFalse(alpha.did(ResumeGuest.class));
        OwnershipRecord record = alpha.granted();
        assertEquals(OwnershipRecord.alone(new Term(4), ALPHA, record.requestId()), record);
        assertTrue(alpha.did(ResumeGuest.class));
        alpha.assertRole(Alone.class, Output.FLOWS);
    }

    @Test
    void aTakeBackThatComesTooLateLosesForGood() {
        PrimaryTalk alpha = waitingFor(BETA_ACTIVATES);
        alpha.on(new PrimaryEvent.ActivationOverdue(new Term(3)));
        alpha.retry();
        alpha.found(BETA_ACTIVATES);
        alpha.refused(BETA_ALONE);
        assertTrue(alpha.did(KillGuest.class));
        alpha.role(Gone.class);
    }

    /** A paused host that finds the record protected and its own asks for alone. */
    @Test
    void aPausedHostThatFindsTheRecordProtectedAndItsOwnAsksForAlone() {
        PrimaryTalk alpha = PrimaryTalk.guarded();
        OwnershipRecord own = alpha.role(Protected.class).record();
        alpha.on(new PrimaryEvent.YieldRequested(new Term(2), "the backup takes over by command"));
        assertTrue(alpha.did(PauseGuest.class));
        alpha.found(own);
        assertTrue(alpha.did(new AwaitActivation(new Term(2))), "the other one is given its time");
        alpha.on(new PrimaryEvent.ActivationOverdue(new Term(2)));
        alpha.retry();
        alpha.found(own);
        assertEquals(own, alpha.set().expected());
        alpha.granted();
        assertTrue(alpha.did(ResumeGuest.class));
        alpha.assertRole(Alone.class, Output.FLOWS);
    }

    @Test
    void aHostThatHasTheVmRefusesSessionsForIt() {
        for (PrimaryTalk alpha : List.of(
                PrimaryTalk.alone(), PrimaryTalk.guarded(), waitingFor(BETA_ACTIVATES), PrimaryTalk.restarted())) {
            alpha.on(new PrimaryEvent.SessionOffered(new Term(9)));
            assertTrue(alpha.did(RefuseSession.class));
        }
    }

    // ---- restart and late waking

    @Test
    void aRestartedDaemonReleasesNothingBeforeItHasANewTerm() {
        PrimaryTalk alpha = PrimaryTalk.restarted();
        assertEquals(new Hold(), alpha.actions.getFirst());
        alpha.found(OwnershipRecord.alone(new Term(5), ALPHA, OTHERS_REQUEST));
        assertFalse(alpha.did(Flow.class));
        alpha.assertRole(GoingAlone.class, Output.HELD);
        assertEquals(new Term(6), alpha.granted().term());
        assertTrue(alpha.did(Flow.class));

        PrimaryTalk loser = PrimaryTalk.restarted();
        loser.found(BETA_ACTIVATES);
        assertTrue(loser.did(PauseGuest.class));
        loser.role(Waiting.class);
    }

    @Test
    void aWokenPrimaryAsksBeforeItReleasesAnything() {
        PrimaryTalk alpha = PrimaryTalk.guarded();
        OwnershipRecord own = alpha.role(Protected.class).record();
        alpha.on(new PrimaryEvent.WokeLate());
        assertTrue(alpha.did(new Reconnect(new Term(2))));
        alpha.acknowledged(2, 3);
        alpha.assertDidNothing();
        alpha.assertRole(Woken.class, Output.HELD);
        alpha.found(own);
        assertEquals(List.of(new Release(new EpochId(3))), alpha.actions);

        PrimaryTalk loser = PrimaryTalk.guarded();
        loser.on(new PrimaryEvent.WokeLate());
        loser.acknowledged(2, 3);
        loser.found(BETA_ALONE);
        assertFalse(loser.did(Release.class));
        assertTrue(loser.did(KillGuest.class));
    }

    @Test
    void aWokenPrimaryIsAnsweredByAFreshHelloWhenTheArbiterIsAway() {
        PrimaryTalk alpha = PrimaryTalk.guarded();
        alpha.on(new PrimaryEvent.WokeLate());
        alpha.unavailable();
        alpha.reconnected(2, 3);
        assertEquals(List.of(new Release(new EpochId(3))), alpha.actions);
        alpha.role(Protected.class);
    }

    @Test
    void aPrimaryThatWakesWhileProtectionEndsTrustsNoHelloFromBefore() {
        PrimaryTalk alpha = PrimaryTalk.guarded();
        alpha.on(new PrimaryEvent.UnprotectRequested("operator"));
        alpha.on(new PrimaryEvent.WokeLate());
        assertTrue(alpha.did(new Reconnect(new Term(2))));
        alpha.assertRole(GoingAlone.class, Output.HELD);
    }

    @Test
    void aGrantThatWasSleptThroughIsAskedForAgain() {
        PrimaryTalk alpha = PrimaryTalk.entering();
        alpha.on(new PrimaryEvent.WokeLate());
        alpha.granted();
        assertFalse(alpha.did(Release.class), "the backup may have taken over since");
        alpha.role(Woken.class);
    }

    // ---- orderly ends, dead guests

    @Test
    void unprotectingSignsTheBackupOffOnlyWhenTheArbiterAnswers() {
        PrimaryTalk away = PrimaryTalk.guarded();
        away.on(new PrimaryEvent.UnprotectRequested("operator"));
        away.unavailable();
        assertFalse(away.did(SignOff.class));
        away.role(Protected.class);

        PrimaryTalk alpha = PrimaryTalk.guarded();
        OwnershipRecord own = alpha.role(Protected.class).record();
        alpha.on(new PrimaryEvent.UnprotectRequested("operator"));
        alpha.acknowledged(2, 2);
        assertTrue(alpha.did(Release.class));
        alpha.found(own);
        assertTrue(alpha.did(new SignOff(new Term(2))));
        alpha.role(Leaving.class);
        alpha.on(new PrimaryEvent.BackupLost(new Term(2), "signed off"));
        assertFalse(alpha.did(Flow.class), "only by a new record");
        alpha.granted();
        alpha.assertRole(Alone.class, Output.FLOWS);
    }

    @Test
    void aVmThatIsStoppedLeavesARecordFromWhichItCanBeStartedAgain() {
        PrimaryTalk alpha = PrimaryTalk.guarded();
        alpha.on(new PrimaryEvent.StopRequested("operator"));
        assertTrue(alpha.did(new SignOff(new Term(2))));
        alpha.on(new PrimaryEvent.BackupLost(new Term(2), "signed off"));
        assertFalse(alpha.did(KillGuest.class));
        OwnershipRecord left = alpha.granted();
        assertTrue(alpha.did(KillGuest.class));
        alpha.role(Gone.class);
        PrimaryTalk again = PrimaryTalk.starting(false);
        again.found(left);
        again.granted();
        assertTrue(again.did(BootGuest.class));
    }

    @Test
    void stoppingTwiceDoesNotWaitForAnybody() {
        PrimaryTalk alpha = PrimaryTalk.guarded();
        alpha.on(new PrimaryEvent.StopRequested("operator"));
        alpha.on(new PrimaryEvent.StopRequested("operator"));
        assertTrue(alpha.did(KillGuest.class));
        alpha.role(Gone.class);
    }

    @Test
    void aHostWhoseGuestDiedTellsTheBackupAndNeverAsksForAlone() {
        PrimaryTalk alpha = PrimaryTalk.guarded();
        alpha.on(new PrimaryEvent.GuestDied("killed"));
        assertTrue(alpha.did(new ReportGuestDead(new Term(2))));
        assertFalse(alpha.did(OwnershipAction.AskArbiter.class));
        alpha.role(Gone.class);
    }

    @Test
    void aGuestThatDiesWhileItsBackupIsEnteredIsTakenOverAllTheSame() {
        PrimaryTalk alpha = PrimaryTalk.entering();
        alpha.on(new PrimaryEvent.GuestDied("killed"));
        alpha.assertRole(Bequeathing.class, Output.DISCARDED);
        alpha.granted();
        assertTrue(alpha.did(new ReportGuestDead(new Term(2))));
    }

    private static PrimaryTalk waitingFor(OwnershipRecord record) {
        PrimaryTalk alpha = PrimaryTalk.guarded();
        alpha.lostBackup(2);
        alpha.refused(record);
        return alpha;
    }
}
