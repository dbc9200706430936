package remus.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Wakes the thread that waits in a {@link Poller}: {@link #signal} from any thread, {@link #clear} by the waiting one
 * (eventfd(2)). Signals that come before the waiter looks are merged into one.
 */
public final class EventFd implements AutoCloseable {
    private static final int EFD_NONBLOCK_CLOEXEC = 0x800 | 0x80000;

    private final FileDescriptor descriptor;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment one = arena.allocate(JAVA_LONG);
    private final MemorySegment count = arena.allocate(JAVA_LONG);
    private boolean closed;

    private EventFd(FileDescriptor descriptor) {
        this.descriptor = descriptor;
        one.set(JAVA_LONG, 0, 1);
    }

    public static EventFd open() throws LinuxException {
        long number = Syscalls.check("eventfd2", Syscalls.call(SyscallNumbers.EVENTFD2, 0, EFD_NONBLOCK_CLOEXEC, 0));
        return new EventFd(new FileDescriptor((int) number, "eventfd"));
    }

    public FileDescriptor descriptor() {
        return descriptor;
    }

    /** Wakes the waiter; does nothing after {@link #close}, so that late senders need not know of it. */
    public synchronized void signal() {
        if (!closed) {
            try {
                // A full counter (EAGAIN) means that the waiter has been woken already.
                descriptor.write(one, 0, Long.BYTES);
            } catch (LinuxException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    /** Takes all signals so far. */
    public void clear() throws LinuxException {
        descriptor.read(count, 0, Long.BYTES);
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            descriptor.close();
            arena.close();
        }
    }
}
