package remus.doctor;

import java.util.List;
import org.junit.jupiter.api.Test;
import remus.base.HostAddress;
import remus.replication.HostReport;
import remus.replication.PeerException;
import remus.wire.HostAnswer;

class PairJudgementTest {
    private static final HostAddress ADDRESS = new HostAddress("192.0.2.2", 7420);
    private static final long MIB = 1L << 20;

    private static HostAnswer host(
            String qemu, String processor, String accelerator, List<String> machines, List<String> models) {
        return new HostAnswer("beta", "0.1.0", "6.1.0", qemu, processor, accelerator, machines, models, 4096 * MIB, 0);
    }

    private static HostAnswer under(String accelerator, String processor, String... models) {
        return host("7.2.22", processor, accelerator, List.of("pc-q35-7.2"), List.of(models));
    }

    private static HostAnswer with(String qemu, String... machines) {
        return host(qemu, "EPYC", "tcg", List.of(machines), List.of());
    }

    @Test
    void aPeerThatDoesNotAnswerIsAFailureWithItsReason() {
        Expected.failure(
                "peer",
                "192.0.2.2:7420: Connection refused",
                "start 'remus host' there, or name the address of its --listen",
                noPeer(PeerException.Kind.NOBODY_LISTENS, "192.0.2.2:7420: Connection refused"));
        Expected.failure(
                "peer",
                "no answer",
                "check the address, the network between, and firewalls: TCP port 7420 must be open both ways",
                noPeer(PeerException.Kind.UNREACHABLE, "no answer"));
        Expected.failure(
                "peer",
                "the peer speaks protocol version 3, this host 4",
                "name a host's replication port, and run the same release of Remus on both hosts",
                noPeer(PeerException.Kind.FOREIGN, "the peer speaks protocol version 3, this host 4"));
        Expected.failure("peer", "too busy", "try again later", noPeer(PeerException.Kind.REFUSED, "too busy"));
    }

    private static Finding noPeer(PeerException.Kind kind, String why) {
        return PairJudgement.noPeer(ADDRESS, kind, why);
    }

    @Test
    void aPeerIsAnotherHostOfTheSameRelease() {
        HostAnswer beta = with("7.2.22");
        String found = "host beta at 192.0.2.2:7420: Remus 0.1.0, protocol 5, Linux 6.1.0";
        Expected.ok("peer", found, PairJudgement.peer(ADDRESS, beta, "0.1.0", null));
        Expected.ok("peer", found, PairJudgement.peer(ADDRESS, beta, "0.1.0", "alpha"));
        Expected.failure(
                "peer",
                found + ": its name is that of this host",
                "name another host; or give each of the two a --name of its own",
                PairJudgement.peer(ADDRESS, beta, "0.1.0", "beta"));
        Expected.warning(
                "peer",
                found + "; here it is Remus 0.2.0",
                "run the same release on both hosts, except while upgrading",
                PairJudgement.peer(ADDRESS, beta, "0.2.0", null));
    }

    @Test
    void bothHaveTheSameQemu() {
        Expected.ok("peer qemu", "QEMU 7.2.22 on both", PairJudgement.qemu(with("7.2.22"), with("7.2.22")));
        Expected.failure(
                "peer qemu",
                "QEMU 7.2.22 here, 8.0.0 on beta",
                "install the same QEMU on both: a backup refuses VMs of another one",
                PairJudgement.qemu(with("7.2.22"), with("8.0.0")));
    }

    @Test
    void bothHaveTheMachineTypesThatVmsUse() {
        HostAnswer two = with("7.2.22", "pc-q35-7.2", "microvm");
        Expected.ok("peer machines", "pc-q35-7.2, microvm on both", PairJudgement.machines(two, two));
        Expected.warning(
                "peer machines",
                "only microvm on both; pc-q35-7.2, microvm here",
                "use the common ones for VMs to be protected, or install the same QEMU on both",
                PairJudgement.machines(two, with("7.2.22", "microvm")));
        Expected.failure(
                "peer machines",
                "no machine type is on both: pc-q35-7.2, microvm here, none on beta",
                "install the same QEMU on both",
                PairJudgement.machines(two, with("7.2.22")));
    }

    @Test
    void guestsFindTheSameProcessorOnBoth() {
        Expected.ok(
                "peer cpu",
                "1 models run on both: max",
                PairJudgement.cpu(under("tcg", "EPYC", "max", "486"), under("tcg", "Xeon", "max")));
        Expected.ok(
                "peer cpu",
                "2 models run on both: EPYC, host",
                PairJudgement.cpu(under("kvm", "EPYC", "EPYC", "host"), under("kvm", "EPYC", "EPYC", "host")));
        Expected.warning(
                "peer cpu",
                "no CPU model is known to run on both",
                "name the model in a VM's definition (cpu: …) only after a trial",
                PairJudgement.cpu(under("tcg", "EPYC", "max"), under("tcg", "EPYC")));
        Expected.warning(
                "peer cpu",
                "EPYC here, Xeon on beta; 1 models run on both: Penryn",
                "do not use the default 'cpu: host' for VMs to be protected; name a model that runs on both",
                PairJudgement.cpu(under("kvm", "EPYC", "Penryn"), under("kvm", "Xeon", "Penryn")));
        Expected.warning(
                "peer cpu",
                "EPYC here, Xeon on beta; no model runs on both",
                "do not use the default 'cpu: host' for VMs to be protected; use hosts with like processors",
                PairJudgement.cpu(under("kvm", "EPYC", "A"), under("kvm", "Xeon", "B")));
    }

    @Test
    void aVmUnderKvmNeedsKvmOnItsBackup() {
        Expected.failure(
                "peer cpu",
                "VMs run under kvm here, under tcg on beta, which can't back up VMs under KVM",
                "make KVM work there, or write 'accelerator: tcg' in the definitions",
                PairJudgement.cpu(under("kvm", "EPYC", "max"), under("tcg", "EPYC", "max")));
        Expected.warning(
                "peer cpu",
                "VMs run under tcg here, under kvm on beta: a VM keeps the accelerator that it was started with",
                "make KVM work here too, or write 'accelerator: tcg' in the definitions of VMs there",
                PairJudgement.cpu(under("tcg", "EPYC", "max"), under("kvm", "EPYC", "max")));
    }

    private static HostAnswer admitting(long mebibytes, long clock) {
        return new HostAnswer("beta", "", "", "", "", "", List.of(), List.of(), mebibytes * MIB, clock);
    }

    @Test
    void thePeerHasRoomForABackup() {
        String remedy = "run 'remus doctor' there, and see what it says of memory";
        Expected.ok("peer memory", "beta takes VMs of up to 1 GiB now", PairJudgement.memory(admitting(1024, 0)));
        Expected.warning(
                "peer memory",
                "beta takes VMs of up to 1023 MiB now",
                remedy,
                PairJudgement.memory(admitting(1023, 0)));
        Expected.failure(
                "peer memory", "beta takes VMs of up to 127 MiB now", remedy, PairJudgement.memory(admitting(127, 0)));
    }

    @Test
    void clocksDifferByLessThanCanBeSeen() {
        Expected.ok(
                "peer clock",
                "beta's is 1002 ms ahead (± 2 ms)",
                PairJudgement.clock(new HostReport(admitting(0, 0), 1002, 2)));
        Expected.ok(
                "peer clock",
                "beta's is 3 ms behind (± 1 ms)",
                PairJudgement.clock(new HostReport(admitting(0, 0), -3, 1)));
        Expected.warning(
                "peer clock",
                "beta's is 1003 ms behind (± 2 ms)",
                "run an NTP client such as chrony on both hosts, with the same servers",
                PairJudgement.clock(new HostReport(admitting(0, 0), -1003, 2)));
    }
}
