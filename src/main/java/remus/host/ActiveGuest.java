package remus.host;

import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import remus.api.DiskStatus;
import remus.api.OutputStatus;
import remus.base.EpochId;
import remus.qemu.VmDefinition;

/**
 * What can be done to a guest that runs here: its output held, released or dropped, the guest paused, let go on, ended.
 * Whether any of that is right is for {@link ActiveOwnership} to say. Confined to the VM's agent thread.
 */
interface ActiveGuest {
    String name();

    VmDefinition definition();

    // ---- its output

    /** From the pause that is going on, output waits for the commit of its epoch, the first of which is {@code epoch}. */
    void holdFrom(EpochId epoch);

    boolean isHeld();

    /** What is held is dropped, and so is what follows. */
    void discardOutput();

    /**
     * Output flows again: as soon as what the guest was told to be on its disk is there, for the last pause of a session
     * may still owe that. No session begins before: it finds output that flows.
     *
     * @param stillRight asked then, on the agent
     */
    void flowOnceDurable(BooleanSupplier stillRight);

    /** Its images are this host's alone by the record: what it writes may go there. Idempotent. */
    void ownDisks();

    // ---- whether it runs

    /** It has lost or is losing its right to run: it is left paused when QEMU has stopped it, until {@link #goOn}. */
    void stayPaused();

    boolean staysPaused();

    /** Stops it if nothing else is doing so already; after {@link #stayPaused}. */
    void pause();

    /** It may run again, and does if it was paused. */
    void goOn();

    /** It stands still by command until {@link #letGo}, whatever else lets it go on. Idempotent. */
    void keepStill();

    /** It stands still by command no more. Idempotent. */
    void letGo();

    boolean isKeptStill();

    /** A pause is going on that was begun and has not ended yet. */
    boolean isPausing();

    /** QEMU has ended, or is as good as dead. */
    boolean isGone();

    /** Whether QEMU ends within the moment that its process may take for that. */
    boolean isEnding();

    /** Kills QEMU if it lives. Idempotent. */
    void kill();

    /** Has QEMU end in good order, or kills it when it does not. */
    void quit();

    // ---- what is shown of it

    @Nullable
    Long qemuPid();

    @Nullable
    String tapName();

    OutputStatus outputStatus();

    List<DiskStatus> diskStatus();

    /** How far its clock is behind because it stood still, since it booted. */
    long clockLagMillis();
}
