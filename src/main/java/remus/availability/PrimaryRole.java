package remus.availability;

import remus.base.Invariant;

/**
 * Whether the host that runs a VM may release its output: the primary's side of ownership, without an arbiter.
 *
 * <pre>
 * ALONE      sessionOpened()                                  → JOINING
 * JOINING    firstCheckpointBegins(): from here on B may own it → PROTECTED (output waits for commits)
 *            backupLost() | signedOff()                       → ALONE
 * PROTECTED  severed() | acknowledgement overdue | woke late  → SEVERED
 *            signedOff() | backupLost(): B will not activate  → ALONE
 *            backupActivated()                                → LOST
 * SEVERED    reconnected()                                    → PROTECTED
 *            signedOff() | backupLost()                       → ALONE
 *            backupActivated()                                → LOST
 *            tick(): whenAlone is CONTINUE and three detection times have passed → ALONE
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

    /** Returns whether this host goes on alone from now on, because its backup has been away for long enough. */
    public boolean tick(long nowNanos) {
        if (state != State.SEVERED || whenAlone == WhenAlone.HOLD || nanosUntilAlone(nowNanos) > 0) {
            return false;
        }
        state = State.ALONE;
        return true;
    }

    /** How long {@link #tick} still has to wait in SEVERED; {@link Long#MAX_VALUE} where it waits for ever. */
    public long nanosUntilAlone(long nowNanos) {
        return state == State.SEVERED && whenAlone == WhenAlone.CONTINUE
                ? Math.max(0, severedAtNanos + ALONE_AFTER_DETECTION_TIMES * detectNanos - nowNanos)
                : Long.MAX_VALUE;
    }
}
