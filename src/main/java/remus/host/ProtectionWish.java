package remus.host;

import remus.api.EventType;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.base.HostAddress;

/**
 * Whether a VM that runs here is to be protected, and how: so from the start where its definition names backups, after a
 * take-over, and once it was protected by command; no more after {@code unprotect} or {@code stop}. It outlives the daemon
 * in the VM's {@link RunningNote}. What follows from it is told to the {@link ProtectionKeeper}. Confined to the VM's agent
 * thread, but for {@link #settings} and {@link #isWanted}.
 */
final class ProtectionWish {
    private final String vm;
    private final ProtectionKeeper keeper;
    private final ActiveStatus status;
    private final RunningNote note;
    private volatile ProtectionSettings settings;
    private volatile boolean wanted;

    /** @param note what is wanted at first, and where it is written down whenever that changes */
    ProtectionWish(String vm, ProtectionKeeper keeper, ActiveStatus status, RunningNote note) {
        this.vm = vm;
        this.keeper = keeper;
        this.status = status;
        this.note = note;
        settings = note.vm().protection();
        wanted = note.vm().wanted();
    }

    /** How it is, was or would be protected. */
    ProtectionSettings settings() {
        return settings;
    }

    boolean isWanted() {
        return wanted;
    }

    /** A session begins, which may come to nothing. */
    void begun(HostAddress backup) {
        keeper.begun(vm, backup);
    }

    /** By these settings, which hold from now on. */
    void isProtected(ProtectionSettings by) {
        settings = by;
        wanted = !by.backups().isEmpty();
        note.wish(by, wanted);
        if (wanted) {
            keeper.isProtected(vm, by);
        }
    }

    /** The VM has no backup. */
    void alone(String why) {
        if (wanted) {
            status.because(VmStatus.withMoreToFollow(why)); // until the keeper says more, or begins
            keeper.alone(vm, settings, why);
        }
    }

    /** It is to have none any more. */
    void drop() {
        wanted = false;
        note.wish(settings, false);
        keeper.over(vm);
    }

    /** The VM is gone from here. */
    void over() {
        keeper.over(vm);
    }

    /** Why it has none yet. */
    void waits(String reason, boolean news) {
        VmState state = status.state();
        if (!wanted || !(state == VmState.UNPROTECTED || state == VmState.DEGRADED)) {
            return;
        }
        status.because(reason);
        if (news) {
            status.event(EventType.FAILED, reason);
        }
    }
}
