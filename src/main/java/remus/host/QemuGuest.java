package remus.host;

import java.time.Duration;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.DiskStatus;
import remus.api.OutputStatus;
import remus.base.EpochId;
import remus.checkpoint.OutputBuffer;
import remus.linux.LinuxException;
import remus.network.GuestNetwork;
import remus.network.NicLink;
import remus.qemu.QemuException;
import remus.qemu.RunningGuest;
import remus.qemu.VmDefinition;

/**
 * A guest that runs in a QEMU of this host, with its network and its disks.
 *
 * <p>Once {@link #isGone}, nothing is asked of QEMU any more. Confined to the VM's agent thread; does not own the parts.
 */
final class QemuGuest implements ActiveGuest {
    private static final Logger LOG = LoggerFactory.getLogger(QemuGuest.class);
    private static final Duration QUIT_LIMIT = Duration.ofSeconds(3);

    /** How long a process that is being killed may take to be gone, with all its memory to give back. */
    private static final Duration DYING_LIMIT = Duration.ofMillis(500);

    private final VmParts parts;
    private final RunningGuest guest;
    private final GuestNetwork network;
    private final Agent agent;
    private boolean staysPaused;
    private boolean gone;

    QemuGuest(VmParts parts, Agent agent) {
        this.parts = parts;
        guest = parts.guest();
        network = parts.network();
        this.agent = agent;
    }

    @Override
    public String name() {
        return parts.handle().definition().name();
    }

    @Override
    public VmDefinition definition() {
        return parts.handle().definition();
    }

    VmParts parts() {
        return parts;
    }

    // ---- its output

    @Override
    public void holdFrom(EpochId epoch) {
        network.hold(epoch);
    }

    @Override
    public boolean isHeld() {
        return network.output().rule() == OutputBuffer.Rule.HOLD;
    }

    @Override
    public void discardOutput() {
        network.discard();
    }

    @Override
    public void flowOnceDurable(BooleanSupplier stillRight) {
        if (parts.disks().guest().mayCommit(EpochId.NONE)) {
            network.flow();
            return;
        }
        parts.disks()
                .guest()
                .whenDurable(
                        EpochId.NONE,
                        () -> agent.post(() -> {
                            if (stillRight.getAsBoolean()) {
                                network.flow();
                            }
                        }));
    }

    @Override
    public void ownDisks() {
        parts.disks().release();
    }

    /** Moves what frames can move in both directions. */
    void moveFrames() throws LinuxException {
        for (NicLink nic : network.nics()) {
            if (nic.wantsToWrite()) {
                nic.flushToGuest();
            }
        }
        network.moveOutput();
        if (!AgentWait.inputStays(guest, network)) {
            network.moveInput();
        }
    }

    // ---- whether it runs

    @Override
    public void stayPaused() {
        staysPaused = true;
    }

    @Override
    public boolean staysPaused() {
        return staysPaused;
    }

    @Override
    public void pause() {
        parts.disks().guest().letWritesThrough(true);
        if (!guest.isPausing()) {
            guest.suspendAndSave();
        }
    }

    @Override
    public void goOn() {
        staysPaused = false;
        parts.disks().guest().letWritesThrough(false);
        if (guest.isPaused()) {
            guest.resume();
        }
    }

    @Override
    public void keepStill() {
        guest.keepStill();
    }

    @Override
    public void letGo() {
        guest.letGo();
    }

    @Override
    public boolean isKeptStill() {
        return guest.staysStill();
    }

    @Override
    public boolean isPausing() {
        return guest.isPausing();
    }

    @Override
    public boolean isGone() {
        return gone;
    }

    @Override
    public boolean isEnding() {
        try {
            return guest.process().awaitExit(DYING_LIMIT).isPresent();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    @Override
    public void kill() {
        gone = true;
        try {
            guest.close();
        } catch (IllegalStateException e) {
            LOG.error("VM {}: QEMU could not be killed", name(), e);
        }
    }

    @Override
    public void quit() {
        try {
            guest.quit(QUIT_LIMIT);
        } catch (QemuException e) {
            LOG.warn("VM {}: {}", name(), e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        kill();
    }

    // ---- what is shown of it

    @Override
    public @Nullable Long qemuPid() {
        return gone ? null : guest.process().identity().pid();
    }

    @Override
    public @Nullable String tapName() {
        return gone || network.nics().isEmpty()
                ? null
                : network.nics().getFirst().tapName();
    }

    @Override
    public OutputStatus outputStatus() {
        OutputBuffer output = network.output();
        return new OutputStatus(
                output.heldFrameCount(), output.heldBytes(), output.releasedFrameCount(), output.droppedFrameCount());
    }

    @Override
    public List<DiskStatus> diskStatus() {
        return parts.disks().status();
    }

    @Override
    public long clockLagMillis() {
        return guest.clockLagNanos() / 1_000_000;
    }
}
