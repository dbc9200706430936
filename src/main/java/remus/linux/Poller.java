package remus.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Waits until one of a few descriptors can be read or written, or a time has passed (ppoll(2), so with nanosecond
 * resolution). Slots are numbered by the caller and may be enabled and disabled between waits. Confined to one
 * platform thread.
 */
public final class Poller implements AutoCloseable {
    private static final int POLLFD_BYTES = 8;
    private static final short POLLIN = 1;
    private static final short POLLOUT = 4;
    private static final short POLLERR_HUP = 8 | 16;

    private final Arena arena = Arena.ofConfined();
    private final MemorySegment pollfds;
    private final MemorySegment timeout = arena.allocate(16, 8);
    private final int slotCount;

    /** @param slotCount how many descriptors can be watched, 1 to 64 */
    public Poller(int slotCount) {
        this.slotCount = slotCount;
        pollfds = arena.allocate((long) slotCount * POLLFD_BYTES, 8);
        for (int slot = 0; slot < slotCount; slot++) {
            disable(slot);
        }
    }

    /** Watches {@code descriptor} in {@code slot} for the conditions asked for; an error or hang-up always counts. */
    public void enable(int slot, FileDescriptor descriptor, boolean forReading, boolean forWriting) {
        long at = (long) slot * POLLFD_BYTES;
        pollfds.set(JAVA_INT, at, descriptor.number());
        pollfds.set(JAVA_SHORT, at + 4, (short) ((forReading ? POLLIN : 0) | (forWriting ? POLLOUT : 0)));
        pollfds.set(JAVA_SHORT, at + 6, (short) 0);
    }

    /** Stops watching {@code slot}; it then never reports ready. */
    public void disable(int slot) {
        long at = (long) slot * POLLFD_BYTES;
        // The kernel skips entries with a negative descriptor (poll(2)).
        pollfds.set(JAVA_INT, at, -1);
        pollfds.set(JAVA_SHORT, at + 6, (short) 0);
    }

    /**
     * Waits at most {@code nanos} (0: only looks) and returns the number of ready slots, 0 when the time passed or a
     * signal came.
     */
    public int await(long nanos) throws LinuxException {
        long bounded = Math.max(0, nanos);
        timeout.set(JAVA_LONG, 0, bounded / 1_000_000_000L);
        timeout.set(JAVA_LONG, 8, bounded % 1_000_000_000L);
        // SAFETY: slotCount entries of struct pollfd and one struct timespec, both alive as long as this object.
        long ready = Syscalls.call(SyscallNumbers.PPOLL, pollfds.address(), slotCount, timeout.address(), 0, 0, 0);
        return ready == -Errno.EINTR ? 0 : (int) Syscalls.check("ppoll", ready);
    }

    /** Whether the last wait found {@code slot} readable, in error or hung up. */
    public boolean readable(int slot) {
        return (revents(slot) & (POLLIN | POLLERR_HUP)) != 0;
    }

    /** Whether the last wait found {@code slot} writable or in error. */
    public boolean writable(int slot) {
        return (revents(slot) & (POLLOUT | POLLERR_HUP)) != 0;
    }

    private int revents(int slot) {
        return pollfds.get(JAVA_SHORT, (long) slot * POLLFD_BYTES + 6);
    }

    @Override
    public void close() {
        arena.close();
    }
}
