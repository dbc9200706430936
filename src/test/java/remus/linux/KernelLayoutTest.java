package remus.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Our sizes, offsets and numbers are those of the C compiler and this machine's kernel headers. */
class KernelLayoutTest {
    private static final List<String> HEADERS = List.of(
            "stddef.h",
            "stdio.h",
            "fcntl.h",
            "poll.h",
            "sched.h",
            "signal.h",
            "unistd.h",
            "time.h",
            "net/if.h",
            "sys/eventfd.h",
            "sys/file.h",
            "sys/ioctl.h",
            "sys/ptrace.h",
            "sys/socket.h",
            "sys/syscall.h",
            "sys/timex.h",
            "sys/uio.h",
            "sys/un.h",
            "sys/user.h",
            "linux/elf.h",
            "linux/ethtool.h",
            "linux/falloc.h",
            "linux/if_tun.h",
            "linux/sockios.h",
            "linux/userfaultfd.h");

    /**
     * The interface of PAGEMAP_SCAN (Documentation/admin-guide/mm/pagemap.rst), for headers older than Linux 6.7, which
     * do not have it: the compiler then still checks sizes, offsets and the request number made of them.
     */
    private static final String PAGEMAP_INTERFACE = """
            #include <linux/fs.h>
            #include <linux/types.h>
            #ifndef PAGEMAP_SCAN
            struct page_region { __u64 start, end, categories; };
            struct pm_scan_arg {
                __u64 size, flags, start, end, walk_end, vec, vec_len, max_pages;
                __u64 category_inverted, category_mask, category_anyof_mask, return_mask;
            };
            #define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)
            #define PM_SCAN_WP_MATCHING (1 << 0)
            #define PM_SCAN_CHECK_WPASYNC (1 << 1)
            #define PAGE_IS_WRITTEN (1 << 1)
            #endif
            """;

    @TempDir
    Path directory;

    @Test
    void interfaceRequestsAreThoseOfTheCompiler() throws Exception {
        Map<String, Long> ours = new LinkedHashMap<>();
        ours.put("sizeof(struct ifreq)", (long) InterfaceRequest.IFREQ_BYTES);
        ours.put("offsetof(struct ifreq, ifr_flags)", (long) InterfaceRequest.IFREQ_UNION_OFFSET);
        ours.put("offsetof(struct ifreq, ifr_ifindex)", (long) InterfaceRequest.IFREQ_UNION_OFFSET);
        ours.put("offsetof(struct ifreq, ifr_data)", (long) InterfaceRequest.IFREQ_UNION_OFFSET);
        ours.put("IFNAMSIZ - 1", (long) InterfaceRequest.MAX_NAME_BYTES);
        ours.put("sizeof(struct ethtool_drvinfo)", (long) InterfaceRequest.DRVINFO_BYTES);
        ours.put("offsetof(struct ethtool_drvinfo, driver)", (long) InterfaceRequest.DRVINFO_DRIVER_OFFSET);
        ours.put("sizeof(((struct ethtool_drvinfo *) 0)->driver)", (long) InterfaceRequest.DRIVER_NAME_BYTES);
        ours.put("TUNSETIFF", InterfaceRequest.TUNSETIFF);
        ours.put("IFF_TAP", (long) InterfaceRequest.IFF_TAP);
        ours.put("IFF_NO_PI", (long) InterfaceRequest.IFF_NO_PI);
        ours.put("IFF_UP", (long) InterfaceRequest.IFF_UP);
        ours.put("SIOCGIFFLAGS", InterfaceRequest.SIOCGIFFLAGS);
        ours.put("SIOCSIFFLAGS", InterfaceRequest.SIOCSIFFLAGS);
        ours.put("SIOCGIFINDEX", InterfaceRequest.SIOCGIFINDEX);
        ours.put("SIOCETHTOOL", InterfaceRequest.SIOCETHTOOL);
        ours.put("ETHTOOL_GDRVINFO", (long) InterfaceRequest.ETHTOOL_GDRVINFO);
        ours.put("SIOCBRADDIF", InterfaceRequest.SIOCBRADDIF);
        ours.put("CLONE_NEWNET", (long) NetworkNamespace.CLONE_NEWNET);
        assertAsCompiled(ours, "");
    }

    @Test
    void filesAndSystemCallsAreThoseOfTheCompiler() throws Exception {
        Map<String, Long> ours = new LinkedHashMap<>();
        ours.put("O_RDWR", (long) FileDescriptor.O_RDWR);
        ours.put("O_NONBLOCK", (long) FileDescriptor.O_NONBLOCK);
        ours.put("SEEK_DATA", (long) SparseFile.SEEK_DATA);
        ours.put("SEEK_HOLE", (long) SparseFile.SEEK_HOLE);
        ours.put("FALLOC_FL_KEEP_SIZE", (long) SparseFile.FALLOC_FL_KEEP_SIZE);
        ours.put("FALLOC_FL_PUNCH_HOLE", (long) SparseFile.FALLOC_FL_PUNCH_HOLE);
        ours.put("FALLOC_FL_ZERO_RANGE", (long) PositionalFile.FALLOC_FL_ZERO_RANGE);
        ours.put("O_EXCL", (long) PositionalFile.O_EXCL);
        ours.put("SEEK_END", (long) PositionalFile.SEEK_END);
        ours.put("LOCK_EX | LOCK_NB", (long) PositionalFile.LOCK_EXCLUSIVE_NOW);
        ours.put("RWF_NOWAIT", (long) PositionalFile.RWF_NOWAIT);
        ours.put("sizeof(struct iovec)", 16L);
        ours.put("SYS_pread64", (long) SyscallNumbers.PREAD64);
        ours.put("SYS_pwrite64", (long) SyscallNumbers.PWRITE64);
        ours.put("SYS_preadv2", (long) SyscallNumbers.PREADV2);
        ours.put("SYS_fdatasync", (long) SyscallNumbers.FDATASYNC);
        ours.put("SYS_flock", (long) SyscallNumbers.FLOCK);
        ours.put("SYS_read", (long) SyscallNumbers.READ);
        ours.put("SYS_write", (long) SyscallNumbers.WRITE);
        ours.put("SYS_close", (long) SyscallNumbers.CLOSE);
        ours.put("SYS_lseek", (long) SyscallNumbers.LSEEK);
        ours.put("SYS_ioctl", (long) SyscallNumbers.IOCTL);
        ours.put("SYS_socket", (long) SyscallNumbers.SOCKET);
        ours.put("SYS_connect", (long) SyscallNumbers.CONNECT);
        ours.put("SYS_sendto", (long) SyscallNumbers.SENDTO);
        ours.put("SYS_shutdown", (long) SyscallNumbers.SHUTDOWN);
        ours.put("SYS_setsockopt", (long) SyscallNumbers.SETSOCKOPT);
        ours.put("SYS_wait4", (long) SyscallNumbers.WAIT4);
        ours.put("SYS_ptrace", (long) SyscallNumbers.PTRACE);
        ours.put("SYS_openat", (long) SyscallNumbers.OPENAT);
        ours.put("SYS_ppoll", (long) SyscallNumbers.PPOLL);
        ours.put("SYS_fallocate", (long) SyscallNumbers.FALLOCATE);
        ours.put("SYS_eventfd2", (long) SyscallNumbers.EVENTFD2);
        ours.put("SYS_setns", (long) SyscallNumbers.SETNS);
        ours.put("SYS_userfaultfd", (long) SyscallNumbers.USERFAULTFD);
        ours.put("SYS_clock_gettime", (long) SyscallNumbers.CLOCK_GETTIME);
        ours.put("SYS_adjtimex", (long) SyscallNumbers.ADJTIMEX);
        ours.put("sizeof(struct timex)", (long) KernelClock.TIMEX_BYTES);
        ours.put("offsetof(struct timex, maxerror)", (long) KernelClock.MAX_ERROR_OFFSET);
        ours.put("offsetof(struct timex, status)", (long) KernelClock.STATUS_OFFSET);
        ours.put("TIME_ERROR", (long) KernelClock.TIME_ERROR);
        ours.put("STA_UNSYNC", (long) KernelClock.STA_UNSYNC);
        ours.put("SYS_tgkill", (long) SyscallNumbers.TGKILL);
        ours.put("SYS_pidfd_send_signal", (long) SyscallNumbers.PIDFD_SEND_SIGNAL);
        ours.put("SYS_pidfd_open", (long) SyscallNumbers.PIDFD_OPEN);
        ours.put("SYS_pidfd_getfd", (long) SyscallNumbers.PIDFD_GETFD);
        ours.put("sizeof(struct pollfd)", 8L);
        ours.put("sizeof(struct timespec)", 16L);
        ours.put("sizeof(struct sockaddr_un)", UnixStreamSocket.MAX_PATH_BYTES + 3L);
        assertAsCompiled(ours, "");
    }

    @Test
    void userfaultfdIsThatOfTheCompiler() throws Exception {
        Map<String, Long> ours = new LinkedHashMap<>();
        ours.put("UFFD_API", Userfaultfd.UFFD_API);
        ours.put("UFFDIO_API", Userfaultfd.UFFDIO_API);
        ours.put("UFFDIO_REGISTER", Userfaultfd.UFFDIO_REGISTER);
        ours.put("UFFDIO_WRITEPROTECT", Userfaultfd.UFFDIO_WRITEPROTECT);
        ours.put("UFFDIO_REGISTER_MODE_WP", Userfaultfd.UFFDIO_REGISTER_MODE_WP);
        ours.put("UFFDIO_WRITEPROTECT_MODE_WP", Userfaultfd.UFFDIO_WRITEPROTECT_MODE_WP);
        ours.put("UFFD_FEATURE_PAGEFAULT_FLAG_WP", Userfaultfd.UFFD_FEATURE_PAGEFAULT_FLAG_WP);
        ours.put("UFFD_FEATURE_WP_HUGETLBFS_SHMEM", Userfaultfd.UFFD_FEATURE_WP_HUGETLBFS_SHMEM);
        ours.put("UFFD_EVENT_PAGEFAULT", (long) Userfaultfd.UFFD_EVENT_PAGEFAULT);
        ours.put("UFFD_PAGEFAULT_FLAG_WP", Userfaultfd.UFFD_PAGEFAULT_FLAG_WP);
        ours.put("UFFD_USER_MODE_ONLY", (long) Userfaultfd.UFFD_USER_MODE_ONLY);
        ours.put("O_CLOEXEC | O_NONBLOCK", (long) Userfaultfd.O_CLOEXEC_NONBLOCK);
        ours.put("sizeof(struct uffdio_api)", (long) Userfaultfd.API_BYTES);
        ours.put("sizeof(struct uffdio_register)", (long) Userfaultfd.REGISTER_BYTES);
        ours.put("sizeof(struct uffdio_writeprotect)", (long) Userfaultfd.WRITEPROTECT_BYTES);
        ours.put("sizeof(struct uffd_msg)", (long) Userfaultfd.MESSAGE_BYTES);
        ours.put("offsetof(struct uffd_msg, arg.pagefault.flags)", (long) Userfaultfd.MESSAGE_FLAGS_OFFSET);
        ours.put("offsetof(struct uffd_msg, arg.pagefault.address)", (long) Userfaultfd.MESSAGE_ADDRESS_OFFSET);
        ours.put("offsetof(struct uffdio_register, mode)", 16L);
        ours.put("offsetof(struct uffdio_writeprotect, mode)", 16L);
        ours.put("offsetof(struct uffdio_api, features)", 8L);
        assertAsCompiled(ours, "");
    }

    @Test
    void tracingIsThatOfTheCompiler() throws Exception {
        Assumptions.assumeTrue(System.getProperty("os.arch").equals("amd64"), "registers are those of x86-64");
        Map<String, Long> ours = new LinkedHashMap<>();
        ours.put("PTRACE_CONT", (long) Tracee.PTRACE_CONT);
        ours.put("PTRACE_SINGLESTEP", (long) Tracee.PTRACE_SINGLESTEP);
        ours.put("PTRACE_DETACH", (long) Tracee.PTRACE_DETACH);
        ours.put("PTRACE_GETREGSET", (long) Tracee.PTRACE_GETREGSET);
        ours.put("PTRACE_SETREGSET", (long) Tracee.PTRACE_SETREGSET);
        ours.put("PTRACE_SEIZE", (long) Tracee.PTRACE_SEIZE);
        ours.put("PTRACE_INTERRUPT", (long) Tracee.PTRACE_INTERRUPT);
        ours.put("PTRACE_GETSIGMASK", (long) Tracee.PTRACE_GETSIGMASK);
        ours.put("PTRACE_SETSIGMASK", (long) Tracee.PTRACE_SETSIGMASK);
        ours.put("PTRACE_EVENT_STOP", (long) Tracee.PTRACE_EVENT_STOP);
        ours.put("NT_PRSTATUS", (long) Tracee.NT_PRSTATUS);
        ours.put("sizeof(struct user_regs_struct)", (long) Tracee.REGISTERS_BYTES);
        ours.put("offsetof(struct user_regs_struct, r10)", (long) Tracee.R10);
        ours.put("offsetof(struct user_regs_struct, r9)", (long) Tracee.R9);
        ours.put("offsetof(struct user_regs_struct, r8)", (long) Tracee.R8);
        ours.put("offsetof(struct user_regs_struct, rax)", (long) Tracee.RAX);
        ours.put("offsetof(struct user_regs_struct, rdx)", (long) Tracee.RDX);
        ours.put("offsetof(struct user_regs_struct, rsi)", (long) Tracee.RSI);
        ours.put("offsetof(struct user_regs_struct, rdi)", (long) Tracee.RDI);
        ours.put("offsetof(struct user_regs_struct, orig_rax)", (long) Tracee.ORIG_RAX);
        ours.put("offsetof(struct user_regs_struct, rip)", (long) Tracee.RIP);
        assertAsCompiled(ours, "");
    }

    @Test
    void pageScansAreThoseOfTheCompiler() throws Exception {
        Map<String, Long> ours = new LinkedHashMap<>();
        ours.put("PAGEMAP_SCAN", PagemapScan.PAGEMAP_SCAN);
        ours.put("PM_SCAN_WP_MATCHING", PagemapScan.PM_SCAN_WP_MATCHING);
        ours.put("PM_SCAN_CHECK_WPASYNC", PagemapScan.PM_SCAN_CHECK_WPASYNC);
        ours.put("PAGE_IS_WRITTEN", PagemapScan.PAGE_IS_WRITTEN);
        ours.put("sizeof(struct pm_scan_arg)", (long) PagemapScan.ARGUMENT_BYTES);
        ours.put("sizeof(struct page_region)", (long) PagemapScan.REGION_BYTES);
        ours.put("offsetof(struct pm_scan_arg, flags)", (long) PagemapScan.FLAGS);
        ours.put("offsetof(struct pm_scan_arg, start)", (long) PagemapScan.START);
        ours.put("offsetof(struct pm_scan_arg, end)", (long) PagemapScan.END);
        ours.put("offsetof(struct pm_scan_arg, vec)", (long) PagemapScan.VECTOR);
        ours.put("offsetof(struct pm_scan_arg, vec_len)", (long) PagemapScan.VECTOR_LENGTH);
        ours.put("offsetof(struct pm_scan_arg, category_mask)", (long) PagemapScan.CATEGORY_MASK);
        ours.put("offsetof(struct pm_scan_arg, return_mask)", (long) PagemapScan.RETURN_MASK);
        assertAsCompiled(ours, PAGEMAP_INTERFACE);
    }

    private void assertAsCompiled(Map<String, Long> ours, String declarations) throws Exception {
        assumeCompiler();
        StringBuilder program = new StringBuilder("#define _GNU_SOURCE\n");
        HEADERS.forEach(header -> program.append("#include <").append(header).append(">\n"));
        program.append(declarations);
        // Names that headers of some years ago do not have yet; where they have them, theirs count.
        program.append("#ifndef UFFD_USER_MODE_ONLY\n#define UFFD_USER_MODE_ONLY 1\n#endif\n");
        program.append("int main(void) {\n");
        ours.keySet()
                .forEach(expression -> program.append("printf(\"%lld\\n\", (long long) (")
                        .append(expression)
                        .append("));\n"));
        program.append("return 0;\n}\n");
        Path source = directory.resolve("layout.c");
        Path binary = directory.resolve("layout");
        Files.writeString(source, program);
        run("gcc", "-Wno-overflow", source.toString(), "-o", binary.toString());
        List<String> printed = run(binary.toString()).lines().toList();
        int line = 0;
        for (Map.Entry<String, Long> entry : ours.entrySet()) {
            assertEquals(Long.parseLong(printed.get(line++)), entry.getValue(), entry.getKey());
        }
    }

    private static void assumeCompiler() {
        boolean there = Files.isExecutable(Path.of("/usr/bin/gcc"));
        Assumptions.assumeTrue(there, "no gcc: layouts not compared with the C compiler's");
    }

    private static String run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(process.waitFor(60, TimeUnit.SECONDS), "the compiler must end");
        assertEquals(0, process.exitValue(), output);
        return output;
    }
}
