package remus.doctor;

import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.linux.Errno;
import remus.memory.TrackingMode;

/** Judges the kernel, and whether guests' writes to memory can be noted. Pure. */
final class KernelJudgement {
    private static final String SUPPORTED_ARCHITECTURE = "amd64";
    private static final String KERNEL_REMEDY =
            "run Linux 5.19 or later (best 6.7 or later) with CONFIG_USERFAULTFD and CONFIG_PTE_MARKER_UFFD_WP";
    private static final String PRIVILEGE_REMEDY =
            "run the daemon and its QEMUs as root, or set the sysctl vm.unprivileged_userfaultfd=1";

    private KernelJudgement() {}

    /**
     * What the kernel answered when a userfaultfd was asked for.
     *
     * @param asynchronous whether it has the asynchronous mode
     * @param synchronous whether it has the synchronous one
     * @param privileged whether the descriptor also sees the kernel's own writes
     * @param errno why there was no descriptor at all; 0: there was
     */
    record Userfaultfd(boolean asynchronous, boolean synchronous, boolean privileged, int errno) {}

    /**
     * What came of attaching to a QEMU that was started for it.
     *
     * @param mode null: it failed
     * @param problem why, or null
     */
    record Trial(@Nullable TrackingMode mode, @Nullable Problem problem) {}

    /** @param missing capabilities that the process lacks, by name */
    record Privileges(boolean root, List<String> missing) {
        Privileges {
            missing = List.copyOf(missing);
        }
    }

    static Finding kernel(String release, String architecture) {
        String found = "Linux %s, %s".formatted(release, architecture);
        return architecture.equals(SUPPORTED_ARCHITECTURE)
                ? Finding.ok("kernel", found)
                : Finding.failure(
                        "kernel",
                        found + ": a guest's memory can be tracked on x86-64 only",
                        "use a host with an x86-64 processor");
    }

    static Finding userfaultfd(Userfaultfd asked) {
        String check = "userfaultfd";
        if (asked.errno() != 0) {
            return asked.errno() == Errno.ENOSYS
                    ? Finding.failure(check, "this kernel has none", KERNEL_REMEDY)
                    : Finding.failure(check, "none is to be had: " + Errno.describe(asked.errno()), PRIVILEGE_REMEDY);
        }
        if (asked.asynchronous()) {
            return Finding.ok(check, "asynchronous write protection (WP_ASYNC): 1 µs for a page's first write");
        }
        if (!asked.synchronous()) {
            return Finding.failure(check, "this kernel can't write-protect shared memory by it", KERNEL_REMEDY);
        }
        return asked.privileged()
                ? Finding.warning(
                        check,
                        "synchronous write protection only: 40 to 50 µs for a page's first write in an epoch",
                        "run Linux 6.7 or later, where it takes 1 µs")
                : Finding.failure(check, "synchronous write protection only, and without privilege", PRIVILEGE_REMEDY);
    }

    static Finding tracking(Trial trial) {
        TrackingMode mode = trial.mode();
        if (mode == null) {
            Problem problem = trial.problem();
            return Finding.failure(
                    "tracking",
                    problem == null ? new Problem("it was not tried", null) : problem,
                    "mend what the checks above say, then look again");
        }
        return Finding.ok(
                "tracking",
                switch (mode) {
                    case ASYNC -> "a paused QEMU was attached to and scanned, asynchronously";
                    case SYNC -> "a paused QEMU was attached to and scanned, synchronously";
                });
    }

    static Finding privileges(Privileges privileges) {
        if (privileges.missing().isEmpty()) {
            return Finding.ok("privileges", privileges.root() ? "root" : "not root, but all capabilities needed");
        }
        return Finding.warning(
                "privileges",
                "%s, without %s"
                        .formatted(privileges.root() ? "root" : "not root", String.join(" and ", privileges.missing())),
                "run it as root, or with these capabilities: TAPs need CAP_NET_ADMIN, tracking may need CAP_SYS_PTRACE");
    }
}
