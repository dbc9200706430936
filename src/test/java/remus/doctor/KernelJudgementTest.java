package remus.doctor;

import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;
import remus.linux.Errno;
import remus.memory.TrackingMode;

class KernelJudgementTest {
    private static final String KERNEL_REMEDY =
            "run Linux 5.19 or later (best 6.7 or later) with CONFIG_USERFAULTFD and CONFIG_PTE_MARKER_UFFD_WP";
    private static final String PRIVILEGE_REMEDY =
            "run the daemon and its QEMUs as root, or set the sysctl vm.unprivileged_userfaultfd=1";

    @Test
    void memoryIsTrackedOnX86Only() {
        Expected.ok("kernel", "Linux 6.18.4, amd64", KernelJudgement.kernel("6.18.4", "amd64"));
        Expected.failure(
                "kernel",
                "Linux 6.18.4, aarch64: a guest's memory can be tracked on x86-64 only",
                "use a host with an x86-64 processor",
                KernelJudgement.kernel("6.18.4", "aarch64"));
    }

    private static Finding userfaultfd(boolean asynchronous, boolean synchronous, boolean privileged, int errno) {
        return KernelJudgement.userfaultfd(
                new KernelJudgement.Userfaultfd(asynchronous, synchronous, privileged, errno));
    }

    @Test
    void theModeOfUserfaultfdDecides() {
        String asynchronous = "asynchronous write protection (WP_ASYNC): 1 µs for a page's first write";
        Expected.ok("userfaultfd", asynchronous, userfaultfd(true, true, true, 0));
        Expected.ok("userfaultfd", asynchronous, userfaultfd(true, true, false, 0));
        Expected.warning(
                "userfaultfd",
                "synchronous write protection only: 40 to 50 µs for a page's first write in an epoch",
                "run Linux 6.7 or later, where it takes 1 µs",
                userfaultfd(false, true, true, 0));
        Expected.failure(
                "userfaultfd",
                "synchronous write protection only, and without privilege",
                PRIVILEGE_REMEDY,
                userfaultfd(false, true, false, 0));
        Expected.failure(
                "userfaultfd",
                "this kernel can't write-protect shared memory by it",
                KERNEL_REMEDY,
                userfaultfd(false, false, true, 0));
        Expected.failure(
                "userfaultfd", "this kernel has none", KERNEL_REMEDY, userfaultfd(false, false, false, Errno.ENOSYS));
        Expected.failure(
                "userfaultfd",
                "none is to be had: EPERM (operation not permitted)",
                PRIVILEGE_REMEDY,
                userfaultfd(false, false, false, Errno.EPERM));
    }

    @Test
    void theTrialCountsMoreThanWhatTheKernelSays() {
        Expected.ok(
                "tracking",
                "a paused QEMU was attached to and scanned, asynchronously",
                KernelJudgement.tracking(new KernelJudgement.Trial(TrackingMode.ASYNC, null)));
        Expected.ok(
                "tracking",
                "a paused QEMU was attached to and scanned, synchronously",
                KernelJudgement.tracking(new KernelJudgement.Trial(TrackingMode.SYNC, null)));
        Expected.failure(
                "tracking",
                "the memory of process 7 can't be tracked: PTRACE_SEIZE: EPERM",
                "run as root",
                KernelJudgement.tracking(new KernelJudgement.Trial(
                        null,
                        Problem.of("the memory of process 7 can't be tracked: PTRACE_SEIZE: EPERM; run as root"))));
        Expected.failure(
                "tracking",
                "QEMU did not start",
                "mend what the checks above say, then look again",
                KernelJudgement.tracking(new KernelJudgement.Trial(null, Problem.of("QEMU did not start"))));
        Expected.failure(
                "tracking",
                "it was not tried",
                "mend what the checks above say, then look again",
                KernelJudgement.tracking(new KernelJudgement.Trial(null, null)));
    }

    @Test
    void missingPrivilegesAreNamed() {
        Expected.ok("privileges", "root", KernelJudgement.privileges(new KernelJudgement.Privileges(true, List.of())));
        Expected.ok(
                "privileges",
                "not root, but all capabilities needed",
                KernelJudgement.privileges(new KernelJudgement.Privileges(false, List.of())));
        String remedy =
                "run it as root, or with these capabilities: TAPs need CAP_NET_ADMIN, tracking may need CAP_SYS_PTRACE";
        Expected.warning(
                "privileges",
                "not root, without CAP_NET_ADMIN and CAP_SYS_PTRACE",
                remedy,
                KernelJudgement.privileges(
                        new KernelJudgement.Privileges(false, List.of("CAP_NET_ADMIN", "CAP_SYS_PTRACE"))));
        Expected.warning(
                "privileges",
                "root, without CAP_NET_ADMIN",
                remedy,
                KernelJudgement.privileges(new KernelJudgement.Privileges(true, List.of("CAP_NET_ADMIN"))));
    }

    @Test
    void aFindingHasARemedyExactlyWhenSomethingIsWrong() {
        assertThrows(IllegalArgumentException.class, () -> new Finding("kvm", Verdict.OK, "x", "y"));
        assertThrows(IllegalArgumentException.class, () -> new Finding("kvm", Verdict.WARNING, "x", null));
        assertThrows(IllegalArgumentException.class, () -> Finding.ok("a name that is too long", "x"));
    }
}
