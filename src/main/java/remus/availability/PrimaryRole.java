package remus.availability;

import remus.base.Invariant;

/**
 * Whether the host that runs a VM may release its output: the primary's side of ownership, without an arbiter.
 *
 * <pre>
 * ALONE      sessionOpened()                                  → JOINING
 * JOINING    firstCheckpointBegins(): from here on B may own it → PROTECTED (output waits for commits)
 *            backupGone(): it has signed off or has no image  → ALONE
 *            backupActivated(): in an earlier session         → LOST
 * PROTECTED  severed() | acknowledgement overdue | woke late  → SEVERED
 *            backupGone(): B will not activate                → ALONE
 *            backupActivated()                                → LOST
 * SEVERED    reconnected()                                    → PROTECTED
 *            backupGone()                                     → ALONE
 *            backupActivated()                                → LOST
 *            goAlone(): CONTINUE, three detection times have passed, and the backup does not say otherwise → ALONE
 * LOST       (final: the VM is paused, its output discarded, its QEMU killed)
 * </pre>
 *
 * <p>Invariant: output flows in ALONE and JOINING only, is released by commits in PROTECTED only, and never in SEVERED
 * and LOST. With {@link WhenAlone#CONTINUE} and no arbiter, a partition in which both hosts live can end in two owners:
 * docs/SPECIFICATION.md says what is promised without an arbiter. Pure; confined to the VM's agent thread.
 */
public final class PrimaryRole {
    /** States; transitions are listed in the class header. */
    public enum State {
        ALONE,
        JOINING,
        PROTECTED,
        SEVERED,
        LOST
    }

    /** A primary goes on alone only after this many detection times without its backup. */
    public static final int ALONE_AFTER_DETECTION_TIMES = 3;

    private final long detectNanos;
    private final WhenAlone whenAlone;
    private State state = State.ALONE;
    private long severedAtNanos;
    private long lastTickNanos;

    public PrimaryRole(long detectNanos, WhenAlone whenAlone) {
        this.detectNanos = detectNanos;
        this.whenAlone = whenAlone;
    }

    public State state() {
        return state;
    }

    /** Whether the output of committed epochs may leave. */
    public boolean mayRelease() {
        return state == State.PROTECTED;
    }

    public void sessionOpened() {
        Invariant.check(state == State.ALONE, "a session is opened in state %s", state);
        state = State.JOINING;
    }

    public void firstCheckpointBegins() {
        Invariant.check(state == State.JOINING, "the first checkpoint begins in state %s", state);
        state = State.PROTECTED;
    }

    /** No contact with the backup, or none that could be trusted. Returns whether this is new. */
    public boolean severed(long nowNanos) {
        if (state != State.PROTECTED) {
            return false;
        }
        state = State.SEVERED;
        severedAtNanos = nowNanos;
        lastTickNanos = nowNanos;
        return true;
    }

    /** The backup says again that it is standing by. Returns whether output may now be released again. */
    public boolean reconnected() {
        if (state != State.SEVERED) {
            return false;
        }
        state = State.PROTECTED;
        return true;
    }

    /** The backup has no image any more and will not activate. Returns whether this host now goes on alone. */
    public boolean backupGone() {
        return switch (state) {
            case JOINING, PROTECTED, SEVERED -> {
                state = State.ALONE;
                yield true;
            }
            case ALONE, LOST -> false;
        };
    }

    /** The backup has taken over. Returns whether this host has just lost the VM. */
    public boolean backupActivated() {
        return switch (state) {
            case JOINING, PROTECTED, SEVERED -> {
                state = State.LOST;
                yield true;
            }
            case ALONE, LOST -> false;
        };
    }

    /**
     * Returns whether the backup has been away for so long that this host may go on alone, if the backup can't be asked or
     * has nothing of the VM. To be called at least each detection time: after a longer gap, in which this process could not
     * hear the backup either, the time starts anew.
     */
    public boolean isAloneDue(long nowNanos) {
        if (state != State.SEVERED || whenAlone == WhenAlone.HOLD) {
            return false;
        }
        if (nowNanos - lastTickNanos > detectNanos) {
            severedAtNanos = nowNanos;
        }
        lastTickNanos = nowNanos;
        return nowNanos - severedAtNanos >= patienceNanos();
    }

    /** The backup was asked and still stands by: it is given the whole time once more to be reached. */
    public void postponeAlone(long nowNanos) {
        severedAtNanos = nowNanos;
    }

    /** This host goes on alone, which must be due. */
    public void goAlone() {
        Invariant.check(state == State.SEVERED && whenAlone == WhenAlone.CONTINUE, "goes alone in state %s", state);
        state = State.ALONE;
    }

    /**
     * How long {@link #isAloneDue} may wait in SEVERED: to the end of the time, and no longer than it may go uncalled;
     * {@link Long#MAX_VALUE} where it waits for ever.
     */
    public long nanosUntilAlone(long nowNanos) {
        return state == State.SEVERED && whenAlone == WhenAlone.CONTINUE
                ? Math.max(0, Math.min(severedAtNanos + patienceNanos() - nowNanos, detectNanos / 2))
                : Long.MAX_VALUE;
    }

    private long patienceNanos() {
        return ALONE_AFTER_DETECTION_TIMES * detectNanos;
    }
}
