package remus.api;

/**
 * What a VM is going through on this host. A primary shows {@link #UNPROTECTED}, {@link #SYNCHRONIZING},
 * {@link #PROTECTED}, {@link #DEGRADED}, {@link #FENCED} or {@link #STOPPED}; a backup {@link #SYNCHRONIZING},
 * {@link #STANDBY} or {@link #ACTIVATING}, and it is a primary once activated.
 */
public enum VmState {
    /** Runs without a backup, as asked; output flows freely. */
    UNPROTECTED,
    /** The first full checkpoint is on its way to the backup; the reason says how far it is. */
    SYNCHRONIZING,
    /** Every output waits for its epoch's commit; the backup can take over at any time. */
    PROTECTED,
    /** Should be protected, but has lost its backup; the reason says whether output is held. */
    DEGRADED,
    /** The backup has whole checkpoints and a standby ready. */
    STANDBY,
    /** The standby is being loaded with the last whole checkpoint. */
    ACTIVATING,
    /** Another host owns the VM: paused here, its output discarded. */
    FENCED,
    /** Does not run any more. */
    STOPPED
}
