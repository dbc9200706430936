package remus.memory;

/** How writes to guest RAM are noted. */
public enum TrackingMode {
    /** The kernel lets writes through and notes them (Linux 6.7 and later): 1 µs for the first write of a page. */
    ASYNC,
    /** Each first write of a page waits for a thread of ours, which notes it (Linux 5.19 and later): 40 to 50 µs. */
    SYNC
}
