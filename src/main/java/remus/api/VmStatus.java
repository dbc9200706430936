package remus.api;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A VM as one host sees it: an entry of {@code status}.
 *
 * @param reason why it is in this state, or how far it is with it; null when there is nothing to say
 * @param term generation of ownership
 * @param epoch the running epoch; 0 when unprotected
 * @param committedEpoch on the primary the last epoch acknowledged, on the backup the last one applied; 0 for none
 * @param peer replication address of the other host, null when there is none
 * @param intervalMillis length of an epoch as asked; 0 when unprotected
 * @param qemuPid process of the VM or of its standby, null when there is none
 * @param tap network device of the first interface, null when there is none
 * @param guestClockLagMillis how far the guest's clock is behind because it stood still since it booted, on whichever
 *     host: in pauses and take-overs; less where it corrects that by itself. Counted anew by a daemon that has
 *     adopted the VM; 0 on a backup
 * @param standby what waits on the backup, null when there is none
 */
public record VmStatus(
        String name,
        VmRole role,
        VmState state,
        @Nullable String reason,
        long term,
        long epoch,
        long committedEpoch,
        @Nullable String peer,
        long intervalMillis,
        @Nullable Long qemuPid,
        @Nullable String tap,
        CheckpointStatus checkpoint,
        OutputStatus output,
        List<DiskStatus> disk,
        long guestClockLagMillis,
        @Nullable StandbyMode standby) {

    /** Ends the reason of a VM without a backup for which its host is about to try one, be it the first or another one. */
    private static final String MORE_FOLLOWS = "; a backup is looked for";

    /** A reason after which its host is about to try a backup. */
    public static String withMoreToFollow(String why) {
        return why + MORE_FOLLOWS;
    }

    public VmStatus {
        disk = List.copyOf(disk);
    }

    /** Whether it has no backup right now, but its host is about to try one. */
    public boolean looksForBackup() {
        String why = reason;
        return why != null && why.endsWith(MORE_FOLLOWS) && (state == VmState.UNPROTECTED || state == VmState.DEGRADED);
    }

    /** The same with another reason. */
    public VmStatus because(String why) {
        return new VmStatus(
                name,
                role,
                state,
                why,
                term,
                epoch,
                committedEpoch,
                peer,
                intervalMillis,
                qemuPid,
                tap,
                checkpoint,
                output,
                disk,
                guestClockLagMillis,
                standby);
    }
}
