package remus.replication;

/** Whether the pages of checkpoints and pre-copy rounds are coded. Zero pages and repeated ones are spared in any case. */
public enum Compression {
    /** Where the link is what holds checkpoints up, and coding them takes less than it spares. */
    AUTO,
    ALWAYS,
    NEVER
}
