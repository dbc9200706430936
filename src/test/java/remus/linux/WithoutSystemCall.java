package remus.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A program for tests that becomes another one, for which a system call fails: seccomp(2) in the mode of prctl(2), with a
 * filter that lets everything else through. Usage: {@code WithoutSystemCall NUMBER ERRNO PROGRAM ARGUMENT…}
 */
public final class WithoutSystemCall {
    // linux/prctl.h, linux/seccomp.h and linux/filter.h
    private static final int PR_SET_SECCOMP = 22;
    private static final int PR_SET_NO_NEW_PRIVS = 38;
    private static final long SECCOMP_MODE_FILTER = 2;
    private static final int RETURN_ERRNO = 0x0005_0000;
    private static final int RETURN_ALLOW = 0x7fff_0000;
    private static final short LOAD_WORD = 0x20;
    private static final short JUMP_IF_EQUAL = 0x15;
    private static final short RETURN = 0x06;

    private static final Linker LINKER = Linker.nativeLinker();

    private WithoutSystemCall() {}

    /** The command that runs {@code command} so. */
    public static List<String> command(int number, int errno, List<String> command) {
        List<String> all = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                WithoutSystemCall.class.getName(),
                Integer.toString(number),
                Integer.toString(errno)));
        all.addAll(command);
        return all;
    }

    /** Replaces this process; returns only when that fails. */
    public static void main(String[] arguments) throws Throwable {
        try (Arena arena = Arena.ofConfined()) {
            refuse(Integer.parseInt(arguments[0]), Integer.parseInt(arguments[1]), arena);
            become(List.of(arguments).subList(2, arguments.length), arena);
        }
        throw new IllegalStateException(arguments[2] + " can't be run");
    }

    private static void refuse(int number, int errno, Arena arena) throws Throwable {
        MemorySegment filter = arena.allocate(4 * 8, 8);
        instruction(filter, 0, LOAD_WORD, 0, 0, 0); // the call's number is the first word of the data
        instruction(filter, 1, JUMP_IF_EQUAL, 0, 1, number);
        instruction(filter, 2, RETURN, 0, 0, RETURN_ERRNO | errno);
        instruction(filter, 3, RETURN, 0, 0, RETURN_ALLOW);
        MemorySegment program = arena.allocate(16, 8);
        program.set(ValueLayout.JAVA_SHORT, 0, (short) 4);
        program.set(ValueLayout.ADDRESS, 8, filter);
        MethodHandle prctl = LINKER.downcallHandle(
                LINKER.defaultLookup().find("prctl").orElseThrow(),
                FunctionDescriptor.of(
                        ValueLayout.JAVA_INT,
                        ValueLayout.JAVA_INT,
                        ValueLayout.JAVA_LONG,
                        ValueLayout.JAVA_LONG,
                        ValueLayout.JAVA_LONG,
                        ValueLayout.JAVA_LONG),
                Linker.Option.firstVariadicArg(1));
        // SAFETY: numbers only; the filter's memory lives until the call has returned, and the kernel copies it.
        int privileges = (int) prctl.invokeExact(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L);
        int filtered = (int) prctl.invokeExact(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program.address(), 0L, 0L);
        if (privileges != 0 || filtered != 0) {
            throw new IllegalStateException("prctl failed: " + privileges + " " + filtered);
        }
    }

    private static void instruction(
            MemorySegment filter, int index, short code, int jumpTrue, int jumpFalse, int operand) {
        long at = index * 8L;
        filter.set(ValueLayout.JAVA_SHORT, at, code);
        filter.set(ValueLayout.JAVA_BYTE, at + 2, (byte) jumpTrue);
        filter.set(ValueLayout.JAVA_BYTE, at + 3, (byte) jumpFalse);
        filter.set(ValueLayout.JAVA_INT, at + 4, operand);
    }

    private static void become(List<String> command, Arena arena) throws Throwable {
        MemorySegment arguments = arena.allocate(ValueLayout.ADDRESS, command.size() + 1L);
        for (int i = 0; i < command.size(); i++) {
            arguments.setAtIndex(ValueLayout.ADDRESS, i, arena.allocateFrom(command.get(i)));
        }
        MethodHandle execvp = LINKER.downcallHandle(
                LINKER.defaultLookup().find("execvp").orElseThrow(),
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS));
        // SAFETY: a list of strings that ends with a null pointer; it lives until this process is replaced.
        var _ = (int) execvp.invokeExact(arguments.getAtIndex(ValueLayout.ADDRESS, 0), arguments);
    }
}
