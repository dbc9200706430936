package remus.host;

import remus.base.EpochId;

/**
 * What a {@link ProtectionSession} means for its VM; told on the VM's agent thread. The session has ended when {@link
 * #signedOff}, {@link #alone} or {@link #lost} is called, and nothing comes after that.
 */
interface SessionOwner {
    /** Synchronizing goes on; {@code text} says how far. */
    void progress(String text);

    /** The backup's images of the disks equal ours from now on. */
    void disksSynchronized(String how);

    /** From the pause that is going on, output is held. */
    void outputIsHeldFrom(EpochId epoch);

    /** The backup has the first full checkpoint: the VM is protected. */
    void isProtected();

    /** No contact with the backup: output is held until it returns or something else is decided. */
    void severed(String reason);

    /** Contact again, nothing was lost. */
    void reconnected(EpochId lastWhole);

    /** A disk here does not answer, so that nothing can be committed any more; the backup's works. */
    void diskHangs(String reason);

    /** Digests of both sides were compared. */
    void verified(EpochId epoch, boolean equal);

    /** It can't go on, for a reason on this host; the backup has yet to be told. */
    void failed(String reason);

    /** The backup did not answer the sign-off: what it does is unknown, so output stays held. */
    void signOffUnanswered(String reason);

    /** The backup never will activate: it has signed off as asked. */
    void signedOff(String reason);

    /**
     * This host goes on alone.
     *
     * @param backupHasNothing the backup has said, or an operator has, that it never will activate
     */
    void alone(String reason, boolean backupHasNothing);

    /** Another host owns the VM now. */
    void lost(String reason);
}
