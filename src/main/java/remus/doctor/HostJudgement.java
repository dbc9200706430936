package remus.doctor;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.base.ByteSize;
import remus.host.GuestRoom;
import remus.linux.KernelClock;

/** Judges the network, memory, clock, ports and files of this host. Pure. */
final class HostJudgement {
    /** Below it no guest that anybody uses fits. */
    static final long SMALLEST_GUEST_BYTES = 128L << 20;

    /** Below it few guests fit. */
    static final long USUAL_GUEST_BYTES = 1L << 30;

    /** What a daemon opens for one VM and its connections, with some to spare. */
    static final long DESCRIPTORS_PER_VM = 64;

    static final long FEW_DESCRIPTORS = 1024;
    static final long TOO_FEW_DESCRIPTORS = 256;

    /** A VM's redo log on its backup, and something for images. */
    static final long LITTLE_SPACE_BYTES = 1L << 30;

    private HostJudgement() {}

    /** @param problem why no TAP could be made, or null: one could */
    static Finding tun(@Nullable Problem problem) {
        return problem == null
                ? Finding.ok("tun", "a TAP was made and removed")
                : Finding.failure("tun", problem, "see that /dev/net/tun works, and run as root");
    }

    static Finding bridges(List<String> names) {
        return names.isEmpty()
                ? Finding.warning(
                        "bridges",
                        "there is none, so VMs here can have no network",
                        "make one on both hosts: ip link add br0 type bridge; ip link set br0 up; and let the network"
                                + " card join it: ip link set ETH master br0")
                : Finding.ok("bridges", String.join(", ", names));
    }

    static Finding memory(GuestRoom room) {
        if (!room.isTmpfs()) {
            return Finding.failure(
                    "memory",
                    GuestRoom.TMPFS + " is no tmpfs, and guests' memory lies there",
                    "mount -t tmpfs tmpfs " + GuestRoom.TMPFS);
        }
        long largest = room.largestRunningBytes();
        long backedUp = room.largestStandbyBytes();
        long worst = room.largestBusyStandbyBytes();
        String found =
                "%s available, %s of %s free in %s: runs VMs of up to %s and backs up VMs of up to %s (%s where all pages change all the time)"
                        .formatted(
                                new ByteSize(room.availableBytes()),
                                new ByteSize(room.tmpfsFreeBytes()),
                                new ByteSize(room.tmpfsBytes()),
                                GuestRoom.TMPFS,
                                new ByteSize(largest),
                                new ByteSize(backedUp),
                                new ByteSize(worst));
        String remedy = room.tmpfsFreeBytes() < room.availableBytes() - GuestRoom.QEMU_OVERHEAD_BYTES
                ? "enlarge the tmpfs: mount -o remount,size=90%% %s, and in /etc/fstab".formatted(GuestRoom.TMPFS)
                : "free some memory, or add some";
        if (backedUp < SMALLEST_GUEST_BYTES) {
            return Finding.failure("memory", found, remedy);
        }
        return backedUp < USUAL_GUEST_BYTES ? Finding.warning("memory", found, remedy) : Finding.ok("memory", found);
    }

    static Finding clock(KernelClock clock) {
        return clock.synchronised()
                ? Finding.ok("clock", "synchronised, at most %d ms wrong".formatted(clock.maxErrorMicros() / 1_000))
                : Finding.warning(
                        "clock",
                        "not synchronised, so the hosts' events can't be compared, and a guest's clock may jump at a failover",
                        "run an NTP client: apt-get install chrony");
    }

    /**
     * @param port where the host daemon listens by default
     * @param holder name of the host whose daemon does, or null: somebody else, if anybody
     * @param listeners the addresses on which somebody listens
     */
    static Finding port(int port, @Nullable String holder, List<String> listeners, String option) {
        String check = "port " + port;
        if (listeners.isEmpty()) {
            return Finding.ok(check, "free");
        }
        String where = String.join(", ", listeners);
        return holder != null
                ? Finding.ok(check, "host %s runs already, on %s".formatted(holder, where))
                : Finding.failure(
                        check,
                        "another program listens on " + where,
                        "end it ('ss -ltnp' names it), or give 'remus host' another port by " + option);
    }

    static Finding descriptors(long limit) {
        long vms = Math.max(0, limit / DESCRIPTORS_PER_VM - 1);
        String found = "%d open files allowed, enough for about %d VMs".formatted(limit, vms);
        String remedy = "raise it: ulimit -n 65536, or LimitNOFILE=65536 in the service's unit";
        if (limit < TOO_FEW_DESCRIPTORS) {
            return Finding.failure("descriptors", found, remedy);
        }
        return limit < FEW_DESCRIPTORS
                ? Finding.warning("descriptors", found, remedy)
                : Finding.ok("descriptors", found);
    }

    /**
     * A state directory, or the one above it where it is yet to be made.
     *
     * @param freeBytes of its file system
     * @param fileSystem its type
     */
    record State(Path directory, boolean exists, boolean writable, long freeBytes, String fileSystem) {}

    static Finding state(State state) {
        String what = state.directory() + (state.exists() ? "" : " (yet to be made)");
        if (!state.writable()) {
            return Finding.failure("state", what + " can't be written", "choose a directory that can, by --state");
        }
        String found = "%s, %s free".formatted(what, new ByteSize(state.freeBytes()));
        if (state.fileSystem().equals("tmpfs")) {
            return Finding.warning(
                    "state",
                    found + ", on a tmpfs: it forgets who owns a VM, and a backup's disks, when the host restarts",
                    "choose a directory on a disk, by --state");
        }
        return state.freeBytes() < LITTLE_SPACE_BYTES
                ? Finding.warning(
                        "state",
                        found + ": a backup keeps copies of disks there, with a redo log of 256 MiB for each VM",
                        "free some space, or choose a larger file system by --state")
                : Finding.ok("state", found);
    }
}
