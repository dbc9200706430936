package remus.host;

/** Learns, on the VM's agent thread, what a backup says of its own end, or that it does not; nothing comes after the session's. */
interface SessionEnd {
    /** The backup has no image, whether it signed off, was lost, or refuses the session; it never will activate. */
    void backupGone(String reason);

    /** The backup did not answer the sign-off: what it does is unknown. */
    void signOffUnanswered(String reason);

    /** The backup takes the VM over. */
    void backupActivated(String reason);
}
