package remus.doctor;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import remus.api.DoctorReport;
import remus.api.HostMemory;
import remus.api.HostStatus;
import remus.availability.ArbiterChoice;
import remus.base.HostAddress;
import remus.base.Release;
import remus.host.GuestRoom;
import remus.host.HostConfiguration;
import remus.host.HostDescription;
import remus.linux.BootTime;
import remus.linux.KernelClock;
import remus.linux.LinuxException;
import remus.qemu.Accelerator;
import remus.qemu.QemuException;
import remus.qemu.QemuInstallation;
import remus.replication.HostReport;
import remus.replication.LinkFigures;
import remus.replication.PeerException;
import remus.replication.PeerProbe;
import remus.wire.HostAnswer;

/**
 * Looks at this host and, when asked to, at the pair that it makes with another one: takes one look after the other, has each
 * judged, and collects the findings. A look that fails is a finding, too. Used once, by one thread.
 */
public final class Doctor {
    /** The other host may have to ask its QEMU first. */
    private static final Duration PEER_LIMIT = Duration.ofSeconds(10);

    private final Consultation asked;
    private final Consumer<String> progress;
    private final BootTime time = new BootTime();
    private final PeerProbe probe = new PeerProbe(time);
    private final List<Finding> findings = new ArrayList<>();
    private DoctorReport.@Nullable LinkEstimate link;

    /** Of this host, as the host daemon here says it; null: none runs. */
    private @Nullable String thisHost;

    /** What the daemon here keeps for its VMs; null: nobody does. */
    private @Nullable HostMemory kept;

    /**
     * What is to be looked at.
     *
     * @param peer another host's replication address, or null
     * @param arbiter null: none of its checks
     * @param credential file with who this host is to the arbiter, or null
     * @param state a daemon's directory, or null
     */
    public record Consultation(
            @Nullable HostAddress peer,
            @Nullable ArbiterChoice arbiter,
            @Nullable Path credential,
            @Nullable Path state) {}

    /** @param progress told what is being done, before something that takes a while */
    public Doctor(Consultation asked, Consumer<String> progress) {
        this.asked = asked;
        this.progress = progress;
    }

    /** A look at something that may fail as a whole. */
    private interface Look {
        Finding take() throws IOException, LinuxException;
    }

    public DoctorReport examine() throws InterruptedException {
        progress.accept("looking at this host");
        kernel();
        HostAnswer here = qemu();
        network();
        ports();
        resources();
        arbiter();
        HostAddress peer = asked.peer();
        if (peer != null) {
            pair(peer, here);
        }
        return report();
    }

    private void look(String check, Look look) {
        try {
            findings.add(look.take());
        } catch (IOException | LinuxException e) {
            findings.add(Finding.failure(
                    check,
                    new Problem("it can't be looked at: " + e, null),
                    "see that /proc is mounted, or try as root"));
        }
    }

    private void kernel() {
        findings.add(KernelJudgement.kernel(System.getProperty("os.version"), System.getProperty("os.arch")));
        look("privileges", () -> KernelJudgement.privileges(HostLook.privileges()));
        findings.add(KernelJudgement.userfaultfd(HostLook.userfaultfd()));
    }

    /** Returns this host's description, or null where QEMU is not to be used. */
    private @Nullable HostAnswer qemu() throws InterruptedException {
        QemuInstallation installation;
        try {
            installation = QemuInstallation.probe();
        } catch (QemuException e) {
            findings.add(QemuJudgement.kvm(HostLook.kvm(null)));
            findings.add(QemuJudgement.noQemu(Problem.of(e)));
            return null;
        }
        QemuJudgement.Kvm kvm = HostLook.kvm(installation);
        Accelerator accelerator = kvm.opens() && kvm.problem() == null ? Accelerator.KVM : Accelerator.TCG;
        findings.add(QemuJudgement.kvm(kvm));
        findings.add(QemuJudgement.qemu(installation));
        findings.add(QemuJudgement.machines(installation.features()));
        findings.addAll(QemuJudgement.arm64(installation.features()));
        HostAnswer here = new HostDescription("doctor", installation, () -> accelerator, time).answer(GuestRoom::read);
        findings.add(QemuJudgement.cpu(here.processor(), accelerator, here.cpuModels()));
        findings.add(QemuJudgement.firmware(installation.features()));
        findings.add(KernelJudgement.tracking(TrackingTrial.run(installation, accelerator)));
        return here;
    }

    private void network() {
        findings.add(HostJudgement.tun(HostLook.tun()));
        look("bridges", () -> HostJudgement.bridges(HostLook.bridges()));
    }

    private void resources() {
        look("memory", () -> HostJudgement.memory(room()));
        look("descriptors", () -> HostJudgement.descriptors(HostLook.descriptorLimit()));
        Path state = asked.state();
        if (state != null) {
            look("state", () -> HostJudgement.state(HostLook.state(state)));
        }
        look("clock", () -> HostJudgement.clock(KernelClock.read()));
    }

    private void ports() {
        DaemonLook daemons = new DaemonLook(probe);
        look("port", () -> {
            List<HostAddress> listeners = ListeningSockets.on(HostConfiguration.DEFAULT_LISTEN_PORT);
            thisHost = daemons.onReplicationPort(listeners);
            return HostJudgement.port(
                    HostConfiguration.DEFAULT_LISTEN_PORT, thisHost, texts(listeners), "--listen ADDR:PORT");
        });
        look("port", () -> {
            List<HostAddress> listeners = ListeningSockets.on(HostConfiguration.DEFAULT_API_PORT);
            HostStatus daemon = daemons.onApiPort(listeners);
            kept = daemon == null ? null : daemon.memory();
            String holder = daemon == null ? null : daemon.host();
            return HostJudgement.port(HostConfiguration.DEFAULT_API_PORT, holder, texts(listeners), "--api ADDR:PORT");
        });
    }

    private GuestRoom room() throws IOException {
        GuestRoom now = GuestRoom.read();
        HostMemory present = kept;
        return present == null ? now : now.after(present.unfilledGuestBytes(), present.stagingBytes());
    }

    private static List<String> texts(List<HostAddress> addresses) {
        return addresses.stream().map(HostAddress::toString).toList();
    }

    private void arbiter() throws InterruptedException {
        ArbiterChoice choice = asked.arbiter();
        if (choice == null) {
            return;
        }
        Problem problem = null;
        if (choice instanceof ArbiterChoice.Ensemble ensemble) {
            progress.accept("asking the arbiter");
            problem = HostLook.arbiter(ensemble, asked.credential(), time);
        }
        findings.add(ArbiterJudgement.arbiter(choice, problem));
    }

    private void pair(HostAddress peer, @Nullable HostAnswer here) {
        progress.accept("asking " + peer);
        try {
            probe.ask(peer, PEER_LIMIT);
            // Again: the first answer may have waited for the other host's QEMU, and its clock is not worth much then.
            HostReport report = probe.ask(peer, PEER_LIMIT);
            HostAnswer answer = report.answer();
            findings.add(PairJudgement.peer(peer, answer, Release.text(), thisHost));
            if (here != null) {
                findings.add(PairJudgement.qemu(here, answer));
                findings.add(PairJudgement.machines(here, answer));
                findings.add(PairJudgement.cpu(here, answer));
            }
            findings.add(PairJudgement.memory(answer));
            findings.add(PairJudgement.clock(report));
            link(peer, report.clockAheadMillis());
        } catch (PeerException e) {
            findings.add(PairJudgement.noPeer(peer, e.kind(), String.valueOf(e.getMessage())));
        }
    }

    private void link(HostAddress peer, long clockAheadMillis) {
        progress.accept("measuring the way to " + peer + ", for some seconds");
        try {
            LinkFigures figures = probe.measure(peer);
            DoctorReport.LinkEstimate estimate = LinkJudgement.estimate(figures, clockAheadMillis);
            link = estimate;
            findings.add(LinkJudgement.latency(figures));
            findings.add(LinkJudgement.bandwidth(figures));
            findings.add(LinkJudgement.interval(figures, estimate));
        } catch (PeerException e) {
            findings.add(LinkJudgement.unmeasured(e.kind(), String.valueOf(e.getMessage())));
        }
    }

    private DoctorReport report() {
        Verdict worst = findings.stream()
                .map(Finding::verdict)
                .max(Comparator.naturalOrder())
                .orElse(Verdict.OK);
        Stream<DoctorReport.Check> checks = findings.stream()
                .map(finding -> new DoctorReport.Check(
                        finding.check(), finding.verdict().toString(), finding.found(), finding.remedy()));
        return new DoctorReport(worst.toString(), checks.toList(), link);
    }
}
