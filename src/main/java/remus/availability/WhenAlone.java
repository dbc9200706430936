package remus.availability;

/** What a primary does that has lost its backup and has no arbiter to ask. */
public enum WhenAlone {
    /** It holds all output until the backup is back or an operator decides. */
    HOLD,
    /** It goes on without protection, after three detection times and unless the backup says that it has activated. */
    CONTINUE
}
