package remus.availability;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static remus.availability.Talk.ALPHA;
import static remus.availability.Talk.BETA;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.junit.jupiter.api.Test;
import remus.availability.Arbiter.Outcome;
import remus.availability.LocalArbiter.Word;
import remus.availability.OwnershipAction.AskArbiter;
import remus.availability.OwnershipAction.Flow;
import remus.availability.OwnershipAction.KillGuest;
import remus.availability.OwnershipAction.Question;
import remus.availability.OwnershipAction.Release;
import remus.availability.OwnershipAction.ResumeGuest;
import remus.availability.PrimaryState.Alone;
import remus.availability.PrimaryState.GoingAlone;
import remus.availability.PrimaryState.Gone;
import remus.availability.PrimaryState.Output;
import remus.availability.PrimaryState.Protected;
import remus.availability.PrimaryState.Waiting;
import remus.base.EpochId;
import remus.base.Term;
import remus.base.Time;

/** The same state machine without an arbiter: what {@link LocalArbiter} grants it, and when. */
class LocalArbiterTest {
    private static final long DETECT = 1000;
    private static final long PATIENCE = LocalArbiter.ALONE_AFTER_DETECTION_TIMES * DETECT;

    /** A primary, alpha, whose questions go to a local arbiter. */
    private static final class Primary implements LocalArbiter.Surroundings, Time {
        private final LocalArbiter arbiter;
        private final PrimaryTalk talk;
        private final Deque<Runnable> unwritten = new ArrayDeque<>();
        private long nowNanos;
        private int peerAsked;
        private boolean diskIsSlow;

        private Primary(WhenAlone whenAlone, PrimaryTalk talk) {
            this.talk = talk;
            PrimaryState.Role role = talk.role(PrimaryState.Role.class);
            OwnershipRecord noted = role instanceof Protected guarded ? guarded.record() : null;
            arbiter = new LocalArbiter(ALPHA, DETECT, whenAlone, this, this, noted);
        }

        static Primary guarded(WhenAlone whenAlone) {
            return new Primary(whenAlone, PrimaryTalk.guarded());
        }

        @Override
        public void askPeer() {
            peerAsked++;
        }

        @Override
        public void note(OwnershipRecord record, Runnable durable) {
            if (diskIsSlow) {
                unwritten.add(durable);
            } else {
                durable.run();
            }
        }

        @Override
        public long nanos() {
            return nowNanos;
        }

        @Override
        public long wallMillis() {
            return 0;
        }

        /** Gives the event and lets the arbiter answer what is asked, until nothing is. */
        void on(PrimaryEvent event) {
            talk.on(event);
            List<OwnershipAction> all = new ArrayList<>(talk.actions);
            for (int next = 0; next < all.size(); next++) {
                if (all.get(next) instanceof AskArbiter(long ask, Question question)) {
                    ask(question, outcome -> {
                        talk.answered(ask, outcome);
                        all.addAll(talk.actions);
                    });
                }
            }
            talk.actions = all;
        }

        private void ask(Question question, java.util.function.Consumer<Outcome> answer) {
            switch (question) {
                case Question.Read() -> arbiter.read("vm", answer);
                case Question.Set(OwnershipRecord expected, OwnershipRecord next) ->
                    arbiter.set("vm", expected, next, answer);
            }
        }

        void retryAt(long nanos) {
            nowNanos = nanos;
            on(new PrimaryEvent.RetryDue());
        }

        void loseBackup() {
            on(new PrimaryEvent.BackupLost(new Term(2), "silence"));
        }
    }

    @Test
    void aVmStartsAndIsProtectedWithoutWaitingForAnybody() {
        Primary alpha = new Primary(WhenAlone.HOLD, PrimaryTalk.starting(false));
        alpha.talk.answered(alpha.talk.ask(), new Arbiter.ReadOutcome.Absent());
        alpha.arbiter.set(
                "vm", null, alpha.talk.set().next(), outcome -> alpha.talk.answered(alpha.talk.ask(), outcome));
        alpha.on(new PrimaryEvent.ProtectRequested(BETA));
        alpha.on(new PrimaryEvent.FirstCheckpointPaused(new Term(2)));
        alpha.on(new PrimaryEvent.Acknowledged(new Term(2), new EpochId(1)));
        assertTrue(alpha.talk.did(Release.class));
        alpha.talk.assertRole(Protected.class, Output.BY_COMMITS);
    }

    @Test
    void whoHoldsNeverGoesOnAloneByItself() {
        Primary alpha = Primary.guarded(WhenAlone.HOLD);
        alpha.loseBackup();
        for (long now = 0; now < 100 * DETECT; now += DETECT / 4) {
            alpha.retryAt(now);
            alpha.talk.assertRole(GoingAlone.class, Output.HELD);
        }
        assertEquals(0, alpha.peerAsked);
    }

    @Test
    void whoHoldsGoesOnByTheBackupsOwnWord() {
        Primary alpha = Primary.guarded(WhenAlone.HOLD);
        alpha.arbiter.backupGone();
        alpha.loseBackup();
        assertTrue(alpha.talk.did(Flow.class));
        alpha.talk.assertRole(Alone.class, Output.FLOWS);
    }

    @Test
    void whoContinuesGoesOnAloneAfterThreeDetectionTimesAndAQuestion() {
        Primary alpha = Primary.guarded(WhenAlone.CONTINUE);
        alpha.loseBackup();
        for (long now = 0; now < PATIENCE; now += DETECT / 4) {
            alpha.retryAt(now);
            assertEquals(0, alpha.peerAsked);
        }
        alpha.retryAt(PATIENCE);
        assertEquals(1, alpha.peerAsked);
        alpha.talk.assertRole(GoingAlone.class, Output.HELD);
        alpha.arbiter.peerSaid(Word.UNREACHABLE);
        alpha.talk.assertRole(Alone.class, Output.FLOWS);
    }

    @Test
    void aBackupThatStillStandsByIsGivenTheWholeTimeAgain() {
        Primary alpha = due(WhenAlone.CONTINUE);
        alpha.arbiter.peerSaid(Word.AS_RECORDED);
        alpha.retryAt(PATIENCE + DETECT / 4);
        assertEquals(1, alpha.peerAsked);
        alpha.talk.assertRole(GoingAlone.class, Output.HELD);
    }

    @Test
    void aBackupThatTakesOverHasTheVm() {
        Primary alpha = due(WhenAlone.CONTINUE);
        alpha.arbiter.peerSaid(Word.TAKES_OVER);
        alpha.talk.assertRole(Waiting.class, Output.DISCARDED);
        alpha.arbiter.peerSaid(Word.OWNS);
        alpha.retryAt(PATIENCE + DETECT / 4);
        assertTrue(alpha.talk.did(KillGuest.class));
        alpha.talk.role(Gone.class);
    }

    @Test
    void contactAgainMakesItAsProtectedAsItWas() {
        Primary alpha = Primary.guarded(WhenAlone.CONTINUE);
        alpha.loseBackup();
        alpha.on(new PrimaryEvent.Reconnected(new Term(2), new EpochId(4)));
        assertTrue(alpha.talk.did(new Release(new EpochId(4))));
        alpha.talk.assertRole(Protected.class, Output.BY_COMMITS);
    }

    /** Asleep it could not hear that the backup has taken over: it listens for the whole time again first. */
    @Test
    void timeAsleepIsNoTimeWithoutTheBackup() {
        Primary alpha = Primary.guarded(WhenAlone.CONTINUE);
        alpha.loseBackup();
        alpha.retryAt(DETECT / 4);
        alpha.retryAt(1000 * DETECT);
        assertEquals(0, alpha.peerAsked);
        alpha.talk.assertRole(GoingAlone.class, Output.HELD);
    }

    /** It activates on silence, whether or not it was ever in this host's record. */
    @Test
    void aBackupThatMayHoldTheFirstCheckpointIsWaitedForJustTheSame() {
        Primary alpha = new Primary(WhenAlone.HOLD, PrimaryTalk.joining());
        OwnershipRecord alone = alpha.talk.role(PrimaryState.Joining.class).record();
        alpha.arbiter.set("vm", null, alone, _ -> {});
        alpha.arbiter.imageMayBeAt(BETA);
        alpha.loseBackup();
        for (long now = 0; now < 10 * DETECT; now += DETECT / 4) {
            alpha.retryAt(now);
            alpha.talk.assertRole(GoingAlone.class, Output.HELD);
        }
        alpha.arbiter.peerSaid(Word.TAKES_OVER);
        alpha.retryAt(10 * DETECT);
        alpha.talk.assertRole(Waiting.class, Output.DISCARDED);
    }

    @Test
    void aWokenPrimaryHearsItsBackupBeforeItReleasesAnything() {
        Primary alpha = Primary.guarded(WhenAlone.CONTINUE);
        alpha.arbiter.wokeLate();
        alpha.on(new PrimaryEvent.WokeLate());
        alpha.on(new PrimaryEvent.Acknowledged(new Term(2), new EpochId(3)));
        alpha.retryAt(DETECT);
        assertFalse(alpha.talk.did(Release.class));
        alpha.talk.assertRole(PrimaryState.Woken.class, Output.HELD);
        assertTrue(alpha.peerAsked > 0);
        alpha.arbiter.peerSaid(Word.AS_RECORDED);
        alpha.retryAt(DETECT);
        assertTrue(alpha.talk.did(new Release(new EpochId(3))));
        alpha.talk.role(Protected.class);
    }

    @Test
    void aWaitingLoserTakesTheVmBackFromAHostThatKnowsNothingOfIt() {
        Primary alpha = due(WhenAlone.HOLD);
        alpha.arbiter.peerSaid(Word.TAKES_OVER);
        alpha.retryAt(PATIENCE + DETECT / 4);
        alpha.talk.role(Waiting.class);
        alpha.arbiter.peerSaid(Word.KNOWS_NOTHING);
        alpha.on(new PrimaryEvent.ActivationOverdue(new Term(3)));
        alpha.retryAt(PATIENCE + DETECT / 2);
        assertTrue(alpha.talk.did(ResumeGuest.class));
        alpha.talk.assertRole(Alone.class, Output.FLOWS);
    }

    @Test
    void aBackupActivatesOnSilenceAndReleasesOnlyWhenThatIsOnDisk() {
        Primary disk = Primary.guarded(WhenAlone.HOLD);
        LocalArbiter beta = new LocalArbiter(BETA, DETECT, WhenAlone.HOLD, disk, disk, null);
        beta.joined(new Term(2), ALPHA);
        disk.diskIsSlow = true;
        OwnershipRecord seen = read(beta);
        OwnershipRecord activating = OwnershipRecord.activating(new Term(3), BETA, ALPHA, new RequestId("b.1"));
        List<Outcome> answers = new ArrayList<>();
        beta.set("vm", seen, activating, answers::add);
        assertEquals(List.of(new Arbiter.SetOutcome.Done()), answers);
        beta.set("vm", activating, OwnershipRecord.alone(new Term(4), BETA, new RequestId("b.2")), answers::add);
        assertEquals(1, answers.size(), "not on disk yet");
        disk.unwritten.forEach(Runnable::run);
        assertEquals(2, answers.size());
    }

    @Test
    void aBackupWhosePrimarySaysThatItIsAloneDoesNotActivate() {
        Primary disk = Primary.guarded(WhenAlone.HOLD);
        LocalArbiter beta = new LocalArbiter(BETA, DETECT, WhenAlone.HOLD, disk, disk, null);
        beta.joined(new Term(2), ALPHA);
        beta.peerSaid(Word.AS_RECORDED);
        beta.peerSaid(Word.KNOWS_NOTHING);
        assertEquals(OwnershipRecord.Phase.PROTECTED, read(beta).phase());
        beta.peerSaid(Word.OWNS);
        assertEquals("term 3, alpha alone", read(beta).toString());
        assertFalse(read(beta).isOwnedBy(BETA));
    }

    /** A primary that has asked for three detection times without its backup, or has had it say so. */
    private static Primary due(WhenAlone whenAlone) {
        Primary alpha = Primary.guarded(whenAlone);
        alpha.loseBackup();
        for (long now = 0; now <= PATIENCE; now += DETECT / 4) {
            alpha.retryAt(now);
        }
        return alpha;
    }

    private static OwnershipRecord read(LocalArbiter arbiter) {
        List<Outcome> answers = new ArrayList<>();
        arbiter.read("vm", answers::add);
        return assertInstanceOf(Arbiter.ReadOutcome.Found.class, answers.getFirst())
                .record();
    }
}
