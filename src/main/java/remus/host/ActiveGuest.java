package remus.host;

import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.base.EpochId;
import remus.checkpoint.OutputBuffer;
import remus.linux.LinuxException;
import remus.network.GuestNetwork;
import remus.network.NicLink;
import remus.qemu.QemuException;
import remus.qemu.RunningGuest;

/**
 * What can be done to a guest that runs here: its output held, released or dropped, the guest paused, let go on, ended.
 * Whether any of that is right is for {@link ActiveOwnership} to say.
 *
 * <p>Once {@link #isGone}, nothing is asked of QEMU any more. Confined to the VM's agent thread; does not own the parts.
 */
final class ActiveGuest {
    private static final Logger LOG = LoggerFactory.getLogger(ActiveGuest.class);
    private static final Duration QUIT_LIMIT = Duration.ofSeconds(3);

    /** How long a process that is being killed may take to be gone, with all its memory to give back. */
    private static final Duration DYING_LIMIT = Duration.ofMillis(500);

    private final VmParts parts;
    private final RunningGuest guest;
    private final GuestNetwork network;
    private final Agent agent;
    private boolean staysPaused;
    private boolean gone;

    ActiveGuest(VmParts parts, Agent agent) {
        this.parts = parts;
        guest = parts.guest();
        network = parts.network();
        this.agent = agent;
    }

    String name() {
        return parts.handle().definition().name();
    }

    VmParts parts() {
        return parts;
    }

    // ---- its output

    /** From the pause that is going on, output waits for the commit of its epoch, the first of which is {@code epoch}. */
    void holdFrom(EpochId epoch) {
        network.hold(epoch);
    }

    boolean isHeld() {
        return network.output().rule() == OutputBuffer.Rule.HOLD;
    }

    /** What is held is dropped, and so is what follows. */
    void discardOutput() {
        network.discard();
    }

    /**
     * Output flows again: as soon as what the guest was told to be on its disk is there, for the last pause of a session
     * may still owe that. No session begins before: it finds output that flows.
     *
     * @param stillRight asked then, on the agent
     */
    void flowOnceDurable(BooleanSupplier stillRight) {
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

    /** Moves what frames can move in both directions. */
    void moveFrames() throws LinuxException {
        for (NicLink nic : network.nics()) {
            if (nic.wantsToWrite()) {
                nic.flushToGuest();
            }
        }
        network.moveOutput();
        network.moveInput();
    }

    // ---- whether it runs

    /** It has lost or is losing its right to run: it is left paused when QEMU has stopped it, until {@link #goOn}. */
    void stayPaused() {
        staysPaused = true;
    }

    boolean staysPaused() {
        return staysPaused;
    }

    /** Stops it if nothing else is doing so already; after {@link #stayPaused}. */
    void pause() {
        parts.disks().guest().letWritesThrough(true);
        if (!guest.isPausing()) {
            guest.suspendAndSave();
        }
    }

    /** It may run again, and does if it was paused. */
    void goOn() {
        staysPaused = false;
        parts.disks().guest().letWritesThrough(false);
        if (guest.isPaused()) {
            guest.resume();
        }
    }

    /** A pause is going on that was begun and has not ended yet. */
    boolean isPausing() {
        return guest.isPausing();
    }

    /** QEMU has ended, or is as good as dead. */
    boolean isGone() {
        return gone;
    }

    /** Whether QEMU ends within the moment that its process may take for that. */
    boolean isEnding() {
        try {
            return guest.process().awaitExit(DYING_LIMIT).isPresent();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** Kills QEMU if it lives. Idempotent. */
    void kill() {
        gone = true;
        try {
            guest.close();
        } catch (IllegalStateException e) {
            LOG.error("VM {}: QEMU could not be killed", name(), e);
        }
    }

    /** Has QEMU end in good order, or kills it when it does not. */
    void quit() {
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

    @Nullable
    Long qemuPid() {
        return gone ? null : guest.process().identity().pid();
    }

    @Nullable
    String tapName() {
        return gone || network.nics().isEmpty()
                ? null
                : network.nics().getFirst().tapName();
    }
}
