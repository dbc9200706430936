package remus.linux;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/** Finds an instruction in a process that enters the kernel: on x86-64 the two bytes {@code 0f 05} of {@code syscall}. */
final class SyscallInstruction {
    static final int BYTES = 2;

    private static final byte FIRST_BYTE = 0x0f;
    private static final byte SECOND_BYTE = 0x05;
    /** More than the code of any C library; what lies behind is not searched. */
    private static final int MAX_SEARCHED_BYTES = 8 << 20;

    private SyscallInstruction() {}

    /**
     * The address of such an instruction.
     *
     * @param inSystemCall whether the thread is in a system call; then the instruction is the one it came by
     * @param position where the thread stands
     * @throws LinuxException where none is found, or the memory can't be read
     */
    static long find(long pid, boolean inSystemCall, long position) throws LinuxException {
        try (FileChannel memory = FileChannel.open(Path.of("/proc/" + pid + "/mem"), StandardOpenOption.READ)) {
            if (inSystemCall && searchAt(memory, position - BYTES, BYTES) == position - BYTES) {
                return position - BYTES;
            }
            for (ProcessMapping mapping : codeOfLibraries(pid)) {
                int length = (int) Math.min(MAX_SEARCHED_BYTES, mapping.bytes());
                long found = searchAt(memory, mapping.start(), length);
                if (found >= 0) {
                    return found;
                }
            }
        } catch (IOException e) {
            throw new LinuxException("reading the memory of process " + pid, Errno.EIO, String.valueOf(e.getMessage()));
        }
        throw new LinuxException(
                "looking for a system call instruction in process " + pid, Errno.ENOENT, "its C library has none");
    }

    private static List<ProcessMapping> codeOfLibraries(long pid) throws LinuxException {
        return ProcessMapping.of(pid).stream()
                .filter(mapping -> mapping.permissions().equals("r-xp"))
                .filter(mapping -> mapping.name().contains("/libc")
                        || mapping.name().contains("/ld-")
                        || mapping.name().equals("[vdso]"))
                .toList();
    }

    private static long searchAt(FileChannel memory, long address, int length) throws IOException {
        ByteBuffer code = ByteBuffer.allocate(length);
        int read = memory.read(code, address);
        for (int i = 0; i + 1 < read; i++) {
            if (code.get(i) == FIRST_BYTE && code.get(i + 1) == SECOND_BYTE) {
                return address + i;
            }
        }
        return -1;
    }
}
