package remus.memory;

import remus.linux.LinuxException;

/**
 * Notes which pages of a VM's RAM are written, by the guest or by QEMU on its behalf. Used by one thread at a time.
 *
 * <p>Invariant: every write to RAM that is made after {@link #arm} and is not complete when a {@code collect} begins
 * is reported by that or a later {@code collect}. So whoever copies the reported pages <em>after</em> collecting has,
 * in the end, all that was written.
 *
 * <p>One kind of write is not seen: that by hardware or the kernel to pages pinned before the last reset, such as an
 * {@code O_DIRECT} disk read that is under way. VMs whose disks come over a socket have none, and a stopped VM has none.
 */
public interface DirtyTracker extends AutoCloseable {
    /** Begins: from now on all writes are noted; what was noted before is forgotten. */
    void arm() throws LinuxException;

    /**
     * Adds to {@code into} the pages that were written since they were last collected, and resets them: the next write
     * is noted again. Copy them after this, not before.
     *
     * @throws LinuxException when tracking has failed; nothing about writes since the last success is known then
     */
    void collect(DirtyPages into) throws LinuxException;

    /** Whether {@link #isQuiet} can ever say yes, and the other two below do more than {@link #collect} does. */
    default boolean knowsQuiet() {
        return false;
    }

    /**
     * Whether certainly no page was written since the last {@link #collect} began, without looking at any. Holds for writes that
     * were complete before this call, and never while {@link #release}d pages have not been collected since.
     */
    default boolean isQuiet() throws LinuxException {
        return false;
    }

    /** As {@link #collect}, but leaves those of {@code except} as they are: what was written of them comes another time. */
    default void collectOthers(DirtyPages except, DirtyPages into) throws LinuxException {
        collect(into);
    }

    /** Takes {@code pages} as written until they are collected the next time, so that writing them costs nothing. */
    default void release(DirtyPages pages) throws LinuxException {}

    /** How it tracks. */
    TrackingMode mode();

    /** Ends the tracking; VM and QEMU run on without it. */
    @Override
    void close();
}
