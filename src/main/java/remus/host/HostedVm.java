package remus.host;

import java.util.concurrent.CompletableFuture;
import remus.api.VmStatus;
import remus.base.Term;
import remus.wire.OwnerAnswer;

/**
 * A VM as the daemon knows it: one that runs here ({@link ActiveVm}) or one that this host backs up
 * ({@link StandbyVm}). Each has an agent thread of its own; what is asked here is handed to it.
 */
sealed interface HostedVm permits ActiveVm, StandbyVm {
    String name();

    /** As the agent last said, or says now if it answers at once. */
    VmStatus status();

    /** What other hosts are told that ask who owns the VM. */
    OwnerAnswer ownerAnswer();

    /** The status as it was told last, without asking the VM's agent. */
    VmStatus published();

    /** Another host takes over in {@code term}: stop the VM, release nothing any more, then answer. */
    OwnerAnswer fence(Term term);

    /** Whether nothing of the VM is left here that could run. */
    boolean hasEnded();

    /** Waits until all that it used is closed, after it has ended; false when that takes longer than a few seconds. */
    boolean awaitClosed();

    /** What a VM's name on this host is to a session that wants it. */
    enum Yield {
        /** Nothing of the VM is left here. */
        FREE,
        /** The VM is about to end, or could not say in time whether it does. */
        BUSY,
        /** The VM stays. */
        KEPT
    }

    /**
     * A protection session of the same VM wants to begin here in term {@code next}: ends what can make room for it, and
     * waits for that for a few seconds.
     */
    Yield yieldTo(Term next);

    /** Guest RAM that it needs on this host, in bytes; 0 when it has ended. */
    long memoryBytes();

    /**
     * Memory that may come to be needed here besides the guest's RAM, in bytes: by this daemon for checkpoints that are
     * on their way, and by a QEMU that is yet to be started. 0 when it has ended.
     */
    default long stagingBytes() {
        return 0;
    }

    /** Ends it in good order, telling the other side; completes when nothing of it is left. */
    CompletableFuture<Void> shutdown(String reason);

    /**
     * This daemon ends, but not what runs here: ends the other side's part as {@link #shutdown} does, and leaves a
     * guest running that is this host's, or is about to be. Completes when nothing is left to be done, or when what was
     * a standby has become an {@link ActiveVm}, which is to be left then.
     */
    CompletableFuture<Void> leave(String reason);
}
