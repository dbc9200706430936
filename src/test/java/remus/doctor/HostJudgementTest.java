package remus.doctor;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import remus.availability.ArbiterChoice;
import remus.host.GuestRoom;
import remus.linux.KernelClock;

class HostJudgementTest {
    private static final long MIB = 1L << 20;

    @Test
    void aTapThatCanNotBeMadeIsAFailure() {
        Expected.ok("tun", "a TAP was made and removed", HostJudgement.tun(null));
        Expected.failure(
                "tun",
                "open(/dev/net/tun): ENOENT",
                "modprobe tun",
                HostJudgement.tun(Problem.of("open(/dev/net/tun): ENOENT; modprobe tun")));
        Expected.failure(
                "tun", "odd", "see that /dev/net/tun works, and run as root", HostJudgement.tun(Problem.of("odd")));
    }

    @Test
    void withoutABridgeThereIsNoNetwork() {
        Expected.ok("bridges", "br0, br1", HostJudgement.bridges(List.of("br0", "br1")));
        Expected.warning(
                "bridges",
                "there is none, so VMs here can have no network",
                "make one on both hosts: ip link add br0 type bridge; ip link set br0 up; and let the network card join"
                        + " it: ip link set ETH master br0",
                HostJudgement.bridges(List.of()));
    }

    private static Finding memory(long tmpfs, long free, long available) {
        return HostJudgement.memory(new GuestRoom(true, tmpfs * MIB, free * MIB, available * MIB));
    }

    @Test
    void memoryIsJudgedByTheLargestVmThatIsAdmitted() {
        Expected.ok(
                "memory",
                "6.1 GiB available, 4 GiB of 8 GiB free in /dev/shm: runs VMs of up to 4 GiB and backs up VMs of up to 4 GiB"
                        + " (1.9 GiB where all pages change all the time)",
                memory(8192, 4096, 6208));
        Expected.warning(
                "memory",
                "576 MiB available, 4 GiB of 8 GiB free in /dev/shm: runs VMs of up to 512 MiB and backs up VMs of up to 166.4"
                        + " MiB"
                        + " (69.3 MiB where all pages change all the time)",
                "free some memory, or add some",
                memory(8192, 4096, 576));
        Expected.failure(
                "memory",
                "4 GiB available, 64 MiB of 64 MiB free in /dev/shm: runs VMs of up to 64 MiB and backs up VMs of up to 64"
                        + " MiB"
                        + " (64 MiB where all pages change all the time)",
                "enlarge the tmpfs: mount -o remount,size=90% /dev/shm, and in /etc/fstab",
                memory(64, 64, 4096));
        Expected.failure(
                "memory",
                "32 MiB available, 4 GiB of 8 GiB free in /dev/shm: runs VMs of up to 0 B and backs up VMs of up to 0 B (0 B"
                        + " where all pages change all the time)",
                "free some memory, or add some",
                memory(8192, 4096, 32));
        Expected.failure(
                "memory",
                "/dev/shm is no tmpfs, and guests' memory lies there",
                "mount -t tmpfs tmpfs /dev/shm",
                HostJudgement.memory(new GuestRoom(false, 8192 * MIB, 8192 * MIB, 8192 * MIB)));
    }

    @Test
    void aClockThatNobodyKeepsRightIsAWarning() {
        Expected.ok("clock", "synchronised, at most 12 ms wrong", HostJudgement.clock(new KernelClock(true, 12_345)));
        Expected.warning(
                "clock",
                "not synchronised, so the hosts' events can't be compared, and a guest's clock may jump at a failover",
                "run an NTP client: apt-get install chrony",
                HostJudgement.clock(new KernelClock(false, 16_000_000)));
    }

    @Test
    void aPortIsFreeOrHeldByAHostOrBySomebodyElse() {
        List<String> held = List.of("0.0.0.0:7420", "[::1]:7420");
        Expected.ok("port 7420", "free", HostJudgement.port(7420, null, List.of(), "--listen ADDR:PORT"));
        Expected.ok(
                "port 7420",
                "host alpha runs already, on 0.0.0.0:7420, [::1]:7420",
                HostJudgement.port(7420, "alpha", held, "--listen ADDR:PORT"));
        Expected.failure(
                "port 7420",
                "another program listens on 0.0.0.0:7420, [::1]:7420",
                "end it ('ss -ltnp' names it), or give 'remus host' another port by --listen ADDR:PORT",
                HostJudgement.port(7420, null, held, "--listen ADDR:PORT"));
    }

    @Test
    void openFilesAreCountedInVms() {
        String remedy = "raise it: ulimit -n 65536, or LimitNOFILE=65536 in the service's unit";
        Expected.ok("descriptors", "1024 open files allowed, enough for about 15 VMs", HostJudgement.descriptors(1024));
        Expected.warning(
                "descriptors",
                "1023 open files allowed, enough for about 14 VMs",
                remedy,
                HostJudgement.descriptors(1023));
        Expected.failure(
                "descriptors",
                "255 open files allowed, enough for about 2 VMs",
                remedy,
                HostJudgement.descriptors(255));
        Expected.failure(
                "descriptors", "32 open files allowed, enough for about 0 VMs", remedy, HostJudgement.descriptors(32));
    }

    private static Finding state(boolean exists, boolean writable, long free, String fileSystem) {
        return HostJudgement.state(
                new HostJudgement.State(Path.of("/var/lib/remus"), exists, writable, free * MIB, fileSystem));
    }

    @Test
    void theStateDirectoryIsToBeOnADiskWithRoom() {
        Expected.ok("state", "/var/lib/remus, 2 GiB free", state(true, true, 2048, "ext4"));
        Expected.ok("state", "/var/lib/remus (yet to be made), 2 GiB free", state(false, true, 2048, "ext4"));
        Expected.failure(
                "state",
                "/var/lib/remus (yet to be made) can't be written",
                "choose a directory that can, by --state",
                state(false, false, 2048, "ext4"));
        Expected.warning(
                "state",
                "/var/lib/remus, 2 GiB free, on a tmpfs: it forgets who owns a VM, and a backup's disks, when the host"
                        + " restarts",
                "choose a directory on a disk, by --state",
                state(true, true, 2048, "tmpfs"));
        Expected.warning(
                "state",
                "/var/lib/remus, 512 MiB free: a backup keeps copies of disks there, with a redo log of 256 MiB for each"
                        + " VM",
                "free some space, or choose a larger file system by --state",
                state(true, true, 512, "ext4"));
    }

    @Test
    void theArbiterIsToBeThreeServersThatAnswer() {
        ArbiterChoice three = ArbiterChoice.parse("zookeeper:a:1,b:1,c:1");
        Expected.ok(
                "arbiter", "zookeeper:a:1,b:1,c:1/remus answers by a majority", ArbiterJudgement.arbiter(three, null));
        Expected.failure(
                "arbiter",
                "zookeeper:a:1,b:1,c:1/remus does not answer: the connection was lost",
                "see that a majority of its servers runs, and that their ports can be reached from here",
                ArbiterJudgement.arbiter(three, Problem.of("the connection was lost")));
        Expected.warning(
                "arbiter",
                "zookeeper:a:1/remus answers, but is a single server: a failover waits while one is away",
                "use three servers or more",
                ArbiterJudgement.arbiter(ArbiterChoice.parse("zookeeper:a:1"), null));
        Expected.warning(
                "arbiter",
                "zookeeper:a:1,b:1/remus answers, but has two servers only: a failover waits while one is away",
                "use three servers or more",
                ArbiterJudgement.arbiter(ArbiterChoice.parse("zookeeper:a:1,b:1"), null));
        Expected.warning(
                "arbiter",
                "a server in the daemon's own process, and gone with it: for trying out",
                "for more, run three ZooKeeper servers (docs/OPERATING.md)",
                ArbiterJudgement.arbiter(ArbiterChoice.parse("embedded"), null));
        Expected.warning(
                "arbiter",
                "none: hosts that can't hear each other could both run a VM, or neither",
                "name one, the same on both hosts: --arbiter zookeeper:HOST:PORT,HOST:PORT,HOST:PORT",
                ArbiterJudgement.arbiter(ArbiterChoice.parse("none"), null));
    }
}
