package remus.memory;

import java.nio.file.Path;
import remus.base.CloseStack;
import remus.linux.Errno;
import remus.linux.LinuxException;
import remus.linux.PageFaults;
import remus.linux.PagemapScan;
import remus.linux.ProcessMapping;
import remus.linux.Userfaultfd;

/**
 * Attaches dirty tracking to a running QEMU, without its cooperation: a userfaultfd is made in it, brought here and
 * closed there (userfaultfd(2), ptrace(2)).
 */
public final class DirtyTracking {
    private static final String KERNEL_TOO_OLD =
            "%s tracking needs Linux %s or later, with CONFIG_USERFAULTFD and CONFIG_PTE_MARKER_UFFD_WP";
    private static final String PRIVILEGE =
            "the synchronous mode must also see the kernel's own writes, and QEMU has no"
                    + " privilege for that: run QEMU as root, or set the sysctl vm.unprivileged_userfaultfd=1";

    private DirtyTracking() {}

    /** Which mode is wanted. */
    public enum Choice {
        /** The asynchronous mode where the kernel has it, else the synchronous one. */
        AUTO,
        ASYNC,
        SYNC
    }

    /**
     * Attaches to process {@code pid}; one of its threads is held for some milliseconds meanwhile. Nothing is tracked
     * before {@link DirtyTracker#arm}.
     *
     * @param ramFile the file behind guest RAM
     * @param bytes its size
     * @param strategy how the asynchronous mode resets
     * @throws DirtyTrackingException saying what the system lacks and how to provide it
     */
    public static DirtyTracker attach(long pid, Path ramFile, long bytes, Choice choice, ResetStrategy strategy)
            throws DirtyTrackingException {
        try {
            ProcessMapping ram = ProcessMapping.ofFile(pid, ramFile, bytes);
            try {
                return attach(pid, ram, choice, strategy, false);
            } catch (LinuxException e) {
                if (e.errno() != Errno.EPERM) {
                    throw e;
                }
                // Without privilege a lesser userfaultfd is to be had; asynchronously it tracks all the same.
                return attach(pid, ram, choice, strategy, true);
            }
        } catch (LinuxException e) {
            String advice = e.errno() == Errno.ENOSYS ? "; " + KERNEL_TOO_OLD.formatted("dirty-page", "5.19") : "";
            throw new DirtyTrackingException(
                    "the memory of process " + pid + " can't be tracked: " + e.getMessage() + advice, e);
        }
    }

    private static DirtyTracker attach(
            long pid, ProcessMapping ram, Choice choice, ResetStrategy strategy, boolean userModeOnly)
            throws LinuxException, DirtyTrackingException {
        Userfaultfd protection = Userfaultfd.ofProcess(pid, userModeOnly);
        boolean attached = false;
        try {
            DirtyTracker tracker = choice != Choice.SYNC && protection.chooseAsynchronous()
                    ? asynchronous(protection, pid, ram, strategy)
                    : synchronous(protection, ram, choice, userModeOnly);
            attached = true;
            return tracker;
        } finally {
            if (!attached) {
                protection.close();
            }
        }
    }

    private static DirtyTracker asynchronous(
            Userfaultfd protection, long pid, ProcessMapping ram, ResetStrategy strategy) throws LinuxException {
        protection.register(ram.start(), ram.bytes());
        try (CloseStack onFailure = new CloseStack()) {
            PagemapScan scan = onFailure.push(PagemapScan.ofProcess(pid));
            PageFaults faults = onFailure.push(PageFaults.ofProcess(pid));
            onFailure.release();
            return new AsyncDirtyTracker(protection, scan, faults, ram, strategy);
        }
    }

    private static DirtyTracker synchronous(
            Userfaultfd protection, ProcessMapping ram, Choice choice, boolean userModeOnly)
            throws LinuxException, DirtyTrackingException {
        if (choice == Choice.ASYNC) {
            throw new DirtyTrackingException(KERNEL_TOO_OLD.formatted("asynchronous", "6.7"), null);
        }
        if (userModeOnly) {
            throw new DirtyTrackingException(PRIVILEGE, null);
        }
        if (!protection.chooseSynchronous()) {
            throw new DirtyTrackingException(KERNEL_TOO_OLD.formatted("dirty-page", "5.19"), null);
        }
        protection.register(ram.start(), ram.bytes());
        return new SyncDirtyTracker(protection, ram);
    }
}
