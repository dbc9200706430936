package remus.availability;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import remus.availability.PrimaryRole.State;
import remus.base.Invariant.InvariantViolation;

class PrimaryRoleTest {
    private static final long DETECT = 1000;
    private static final long PATIENCE = PrimaryRole.ALONE_AFTER_DETECTION_TIMES * DETECT;

    @Test
    void outputIsReleasedByCommitsOnlyWhileProtected() {
        PrimaryRole role = new PrimaryRole(DETECT, WhenAlone.CONTINUE);
        assertRole(State.ALONE, false, role);
        role.sessionOpened();
        assertRole(State.JOINING, false, role);
        role.firstCheckpointBegins();
        assertRole(State.PROTECTED, true, role);
        assertTrue(role.severed(0));
        assertRole(State.SEVERED, false, role);
        assertTrue(role.reconnected());
        assertRole(State.PROTECTED, true, role);
        assertTrue(role.severed(0));
        assertTrue(role.backupActivated());
        assertRole(State.LOST, false, role);
    }

    @Test
    void aSessionThatFailsBeforeTheFirstCheckpointLeavesTheVmAlone() {
        PrimaryRole role = new PrimaryRole(DETECT, WhenAlone.HOLD);
        role.sessionOpened();
        assertFalse(role.severed(0), "there is nothing to hold yet");
        assertTrue(role.backupGone());
        assertRole(State.ALONE, false, role);
        role.sessionOpened();
        assertRole(State.JOINING, false, role);
    }

    /** It says so only where it took over before, in an earlier session of which this host knew no end. */
    @Test
    void aBackupThatAlreadyRunsTheVmIsBelievedWhileJoiningIt() {
        PrimaryRole role = new PrimaryRole(DETECT, WhenAlone.CONTINUE);
        role.sessionOpened();
        assertTrue(role.backupActivated());
        assertRole(State.LOST, false, role);
    }

    @Test
    void aLostVmStaysLost() {
        PrimaryRole role = lost();
        assertFalse(role.backupActivated());
        assertFalse(role.backupGone());
        assertFalse(role.severed(0));
        assertFalse(role.reconnected());
        assertFalse(role.isAloneDue(Long.MAX_VALUE / 2));
        assertThrows(InvariantViolation.class, role::sessionOpened);
        assertThrows(InvariantViolation.class, role::firstCheckpointBegins);
        assertRole(State.LOST, false, role);
    }

    @Test
    void aBackupThatSignsOffLeavesTheVmAloneAtOnce() {
        PrimaryRole role = protectedRole(WhenAlone.HOLD);
        assertTrue(role.backupGone());
        assertRole(State.ALONE, false, role);
        assertFalse(role.backupGone());

        PrimaryRole severed = protectedRole(WhenAlone.HOLD);
        severed.severed(0);
        assertTrue(severed.backupGone());
        assertRole(State.ALONE, false, severed);
    }

    @Test
    void whoHoldsNeverGoesOnAloneByItself() {
        PrimaryRole role = protectedRole(WhenAlone.HOLD);
        role.severed(0);
        assertEquals(Long.MAX_VALUE, role.nanosUntilAlone(0));
        for (long now = 0; now < 100 * DETECT; now += DETECT / 4) {
            assertFalse(role.isAloneDue(now));
        }
        assertRole(State.SEVERED, false, role);
    }

    @Test
    void whoContinuesGoesOnAloneAfterThreeDetectionTimes() {
        PrimaryRole role = protectedRole(WhenAlone.CONTINUE);
        assertEquals(Long.MAX_VALUE, role.nanosUntilAlone(0));
        assertTrue(role.severed(500));
        assertFalse(role.severed(700), "the time counts from the first loss");
        for (long now = 500; now < 500 + PATIENCE; now += DETECT / 4) {
            assertEquals(Math.min(500 + PATIENCE - now, DETECT / 2), role.nanosUntilAlone(now));
            assertFalse(role.isAloneDue(now));
        }
        assertTrue(role.isAloneDue(500 + PATIENCE));
        assertRole(State.SEVERED, false, role);
        role.goAlone();
        assertRole(State.ALONE, false, role);
        assertFalse(role.isAloneDue(500 + PATIENCE));
    }

    @Test
    void aBackupThatStillStandsByIsGivenTheWholeTimeAgain() {
        PrimaryRole role = protectedRole(WhenAlone.CONTINUE);
        role.severed(0);
        for (long now = 0; now < PATIENCE; now += DETECT / 4) {
            role.isAloneDue(now);
        }
        role.postponeAlone(PATIENCE);
        assertFalse(role.isAloneDue(PATIENCE));
        assertRole(State.SEVERED, false, role);
    }

    @Test
    void contactAgainStopsTheWait() {
        PrimaryRole role = protectedRole(WhenAlone.CONTINUE);
        role.severed(0);
        role.isAloneDue(DETECT / 2);
        role.reconnected();
        assertFalse(role.isAloneDue(PATIENCE));
        role.severed(PATIENCE);
        assertFalse(role.isAloneDue(PATIENCE));
        assertRole(State.SEVERED, false, role);
    }

    /** Asleep it could not hear that the backup has taken over: it listens for the whole time again first. */
    @Test
    void timeAsleepIsNoTimeWithoutTheBackup() {
        PrimaryRole role = protectedRole(WhenAlone.CONTINUE);
        role.severed(0);
        assertFalse(role.isAloneDue(DETECT / 2));
        long woken = 1000 * DETECT;
        assertEquals(0, role.nanosUntilAlone(woken));
        assertFalse(role.isAloneDue(woken), "a late wake-up must not release what the backup may have outrun");
        assertEquals(DETECT / 2, role.nanosUntilAlone(woken));
        for (long now = woken; now < woken + PATIENCE; now += DETECT / 4) {
            assertFalse(role.isAloneDue(now));
        }
        assertTrue(role.isAloneDue(woken + PATIENCE));
    }

    private static PrimaryRole protectedRole(WhenAlone whenAlone) {
        PrimaryRole role = new PrimaryRole(DETECT, whenAlone);
        role.sessionOpened();
        role.firstCheckpointBegins();
        return role;
    }

    private static PrimaryRole lost() {
        PrimaryRole role = protectedRole(WhenAlone.CONTINUE);
        role.backupActivated();
        return role;
    }

    private static void assertRole(State state, boolean mayRelease, PrimaryRole role) {
        assertEquals(state, role.state());
        assertEquals(mayRelease, role.mayRelease());
    }
}
