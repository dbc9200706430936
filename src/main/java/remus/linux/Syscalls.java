package remus.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/**
 * The one way down: {@code syscall(2)} through the foreign-function interface. Thread-safe; blocks as the call itself
 * does. Results follow the kernel's own convention: negative values are {@code -errno}.
 */
final class Syscalls {
    private static final Linker LINKER = Linker.nativeLinker();
    private static final StructLayout CAPTURED = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = CAPTURED.varHandle(MemoryLayout.PathElement.groupElement("errno"));
    private static final MethodHandle SYSCALL = LINKER.downcallHandle(
            LINKER.defaultLookup().find("syscall").orElseThrow(),
            FunctionDescriptor.of(
                    JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
            Linker.Option.captureCallState("errno"),
            Linker.Option.firstVariadicArg(1));
    // One small native block per thread, freed by the collector with the thread: errno is per thread.
    private static final ThreadLocal<MemorySegment> CAPTURE =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(CAPTURED));

    private Syscalls() {}

    /** The call's result, or {@code -errno}. */
    static long call(long number, long a, long b, long c, long d, long e, long f) {
        MemorySegment capture = CAPTURE.get();
        try {
            // SAFETY: all arguments are plain numbers; whoever passes an address keeps its segment alive and large
            // enough for the whole call, as each caller's own SAFETY comment argues. The capture block is this
            // thread's.
            long result = (long) SYSCALL.invokeExact(capture, number, a, b, c, d, e, f);
            return result == -1 ? -(int) ERRNO.get(capture, 0L) : result;
        } catch (Throwable t) {
            throw new AssertionError("syscall " + number + " could not be made", t);
        }
    }

    static long call(long number, long a, long b, long c) {
        return call(number, a, b, c, 0, 0, 0);
    }

    static long call(long number, long a) {
        return call(number, a, 0, 0, 0, 0, 0);
    }

    /** Passes {@code result} on, or throws it as the failure of {@code what}. */
    static long check(String what, long result) throws LinuxException {
        if (result < 0) {
            throw new LinuxException(what, (int) -result);
        }
        return result;
    }
}
