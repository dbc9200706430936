package remus.doctor;

import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.base.ByteSize;
import remus.base.HostAddress;
import remus.qemu.Accelerator;
import remus.replication.HostReport;
import remus.replication.PeerException;
import remus.wire.FrameHeader;
import remus.wire.HostAnswer;

/** Judges whether this host and another one can back each other up. Pure. */
final class PairJudgement {
    /** Clocks that differ by more make the hosts' events hard to compare, and a guest's clock jump. */
    static final long CLOCK_DIFFERENCE_MILLIS = 1_000;

    private static final String KVM = Accelerator.KVM.key();

    private PairJudgement() {}

    /** The other host did not answer. */
    static Finding noPeer(HostAddress peer, PeerException.Kind kind, String why) {
        String remedy = switch (kind) {
            case NOBODY_LISTENS -> "start 'remus host' there, or name the address of its --listen";
            case UNREACHABLE ->
                "check the address, the network between, and firewalls: TCP port %d must be open both ways"
                        .formatted(peer.port());
            case FOREIGN -> "name a host's replication port, and run the same release of Remus on both hosts";
            case REFUSED -> "try again later";
        };
        return Finding.failure("peer", why, remedy);
    }

    /** @param thisHost name of the host whose daemon runs here, or null */
    static Finding peer(HostAddress address, HostAnswer peer, String release, @Nullable String thisHost) {
        String found = "host %s at %s: Remus %s, protocol %d, Linux %s"
                .formatted(peer.host(), address, peer.release(), FrameHeader.VERSION, peer.kernel());
        if (peer.host().equals(thisHost)) {
            return Finding.failure(
                    "peer",
                    found + ": its name is that of this host",
                    "name another host; or give each of the two a --name of its own");
        }
        return peer.release().equals(release)
                ? Finding.ok("peer", found)
                : Finding.warning(
                        "peer",
                        found + "; here it is Remus " + release,
                        "run the same release on both hosts, except while upgrading");
    }

    static Finding qemu(HostAnswer here, HostAnswer peer) {
        return here.qemuVersion().equals(peer.qemuVersion())
                ? Finding.ok("peer qemu", "QEMU %s on both".formatted(here.qemuVersion()))
                : Finding.failure(
                        "peer qemu",
                        "QEMU %s here, %s on %s".formatted(here.qemuVersion(), peer.qemuVersion(), peer.host()),
                        "install the same QEMU on both: a backup refuses VMs of another one");
    }

    static Finding machines(HostAnswer here, HostAnswer peer) {
        List<String> common = common(here.machines(), peer.machines());
        if (common.isEmpty()) {
            return Finding.failure(
                    "peer machines",
                    "no machine type is on both: %s here, %s on %s"
                            .formatted(listed(here.machines()), listed(peer.machines()), peer.host()),
                    "install the same QEMU on both");
        }
        return common.size() == here.machines().size()
                ? Finding.ok("peer machines", listed(common) + " on both")
                : Finding.warning(
                        "peer machines",
                        "only %s on both; %s here".formatted(listed(common), listed(here.machines())),
                        "use the common ones for VMs to be protected, or install the same QEMU on both");
    }

    private static String listed(List<String> names) {
        return names.isEmpty() ? "none" : String.join(", ", names);
    }

    private static List<String> common(List<String> here, List<String> there) {
        return here.stream().filter(there::contains).toList();
    }

    static Finding cpu(HostAnswer here, HostAnswer peer) {
        String check = "peer cpu";
        if (!here.accelerator().equals(peer.accelerator())) {
            String found = "VMs run under %s here, under %s on %s"
                    .formatted(here.accelerator(), peer.accelerator(), peer.host());
            return here.accelerator().equals(KVM)
                    ? Finding.failure(
                            check,
                            found + ", which can't back up VMs under KVM",
                            "make KVM work there, or write 'accelerator: tcg' in the definitions")
                    : Finding.warning(
                            check,
                            found + ": a VM keeps the accelerator that it was started with",
                            "make KVM work here too, or write 'accelerator: tcg' in the definitions of VMs there");
        }
        List<String> common = common(here.cpuModels(), peer.cpuModels());
        String models = "%d models run on both: %s".formatted(common.size(), QemuJudgement.shown(common));
        if (here.accelerator().equals(KVM) && !here.processor().equals(peer.processor())) {
            return Finding.warning(
                    check,
                    "%s here, %s on %s; %s"
                            .formatted(
                                    here.processor(),
                                    peer.processor(),
                                    peer.host(),
                                    common.isEmpty() ? "no model runs on both" : models),
                    "do not use the default 'cpu: host' for VMs to be protected; "
                            + (common.isEmpty() ? "use hosts with like processors" : "name a model that runs on both"));
        }
        return common.isEmpty()
                ? Finding.warning(
                        check,
                        "no CPU model is known to run on both",
                        "name the model in a VM's definition (cpu: …) only after a trial")
                : Finding.ok(check, models);
    }

    static Finding memory(HostAnswer peer) {
        String found = "%s takes VMs of up to %s now".formatted(peer.host(), new ByteSize(peer.admissibleBytes()));
        if (peer.admissibleBytes() < HostJudgement.SMALLEST_GUEST_BYTES) {
            return Finding.failure("peer memory", found, "run 'remus doctor' there, and see what it says of memory");
        }
        return peer.admissibleBytes() < HostJudgement.USUAL_GUEST_BYTES
                ? Finding.warning("peer memory", found, "run 'remus doctor' there, and see what it says of memory")
                : Finding.ok("peer memory", found);
    }

    static Finding clock(HostReport report) {
        long ahead = report.clockAheadMillis();
        String found = "%s's is %d ms %s (± %d ms)"
                .formatted(
                        report.answer().host(),
                        Math.abs(ahead),
                        ahead < 0 ? "behind" : "ahead",
                        report.uncertaintyMillis());
        return Math.abs(ahead) - report.uncertaintyMillis() > CLOCK_DIFFERENCE_MILLIS
                ? Finding.warning(
                        "peer clock", found, "run an NTP client such as chrony on both hosts, with the same servers")
                : Finding.ok("peer clock", found);
    }
}
