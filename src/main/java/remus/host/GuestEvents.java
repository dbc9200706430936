package remus.host;

import remus.api.EventType;
import remus.base.Time;
import remus.checkpoint.CheckpointEngine;
import remus.checkpoint.CheckpointException;
import remus.disk.DiskException;
import remus.disk.DiskRequest;
import remus.disk.GuestDisks;
import remus.qemu.DeviceState;
import remus.qemu.DeviceStateException;
import remus.qemu.GuestListener;
import remus.qemu.QmpException;
import remus.qemu.RunningGuest;

/**
 * Brings what QEMU and the disks say of a running guest to where it belongs: pauses to the session's engine, deaths to
 * {@link ActiveOwnership}, the rest to the events. QEMU's is said on the agent thread, the disks' on any.
 */
final class GuestEvents implements GuestListener, GuestDisks.Listener {
    private final QemuGuest guest;
    private final VmProtection protection;
    private final ActiveStatus status;
    private final ActiveOwnership ownership;
    private final Agent agent;
    private final Time time;

    GuestEvents(
            QemuGuest guest,
            VmProtection protection,
            ActiveStatus status,
            ActiveOwnership ownership,
            Agent agent,
            Time time) {
        this.guest = guest;
        this.protection = protection;
        this.status = status;
        this.ownership = ownership;
        this.agent = agent;
        this.time = time;
    }

    @Override
    public void suspended() {
        ProtectionSession running = protection.session();
        if (running != null) {
            running.engine().guestSuspended();
            FaultPoint.PAUSED.reached(running.engine().epoch().value());
        }
    }

    @Override
    public void saved(DeviceState saved) {
        ProtectionSession running = protection.session();
        if (running == null) {
            if (!guest.staysPaused()) {
                qemu().resume(); // the session ended in the middle of a pause
            }
            return;
        }
        if (running.engine().phase() != CheckpointEngine.Phase.SAVING) {
            running.engine().guestSaved(time.nanos()); // not this session's checkpoint, or it has ended
            return;
        }
        try {
            saved.readInto(running.engine().deviceState());
        } catch (DeviceStateException | CheckpointException e) {
            ownership.failed("the device state can't be read: " + e.getMessage());
            running.engine().guestSaved(time.nanos()); // lets the guest go on
            return;
        }
        running.guestSaved(time.nanos());
        FaultPoint.TRANSFERRING.reached(running.engine().sealed().value());
    }

    private RunningGuest qemu() {
        return guest.parts().guest();
    }

    @Override
    public void resumed() {
        ProtectionSession running = protection.session();
        if (running != null) {
            running.engine().guestResumed(time.nanos());
        } else if (guest.staysPaused()) {
            qemu().suspendAndSave();
        }
    }

    @Override
    public void guestShutdown(String cause, boolean byGuest) {
        ownership.guestShutDown(cause, byGuest);
    }

    @Override
    public void guestReset(boolean byGuest) {
        status.event(EventType.GUEST_RESET, byGuest ? "the guest reset itself" : "reset from outside");
    }

    @Override
    public void guestPanicked() {
        status.event(EventType.GUEST_PANIC, "the guest's kernel reports a panic; it is replicated as it is");
    }

    @Override
    public void failed(QmpException cause) {
        ownership.guestDied(String.valueOf(cause.getMessage()));
    }

    @Override
    public void diskFailed(String disk, DiskRequest request, DiskException cause) {
        agent.post(() -> status.event(
                EventType.DISK_ERROR,
                "disk %s: %s, reported to the guest: %s".formatted(disk, request, cause.getMessage())));
    }

    @Override
    public void owedSyncDone() {
        agent.post(() -> {
            ProtectionSession running = protection.session();
            if (running != null) {
                running.retryCommit();
            }
        });
    }
}
