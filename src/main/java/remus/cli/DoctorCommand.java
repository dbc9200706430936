package remus.cli;

import java.nio.file.Path;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import remus.api.DoctorReport;
import remus.api.Json;
import remus.availability.ArbiterChoice;
import remus.base.HostAddress;
import remus.doctor.Doctor;
import remus.doctor.Verdict;

@CommandLine.Command(
        name = "doctor",
        header = "Look whether this machine, and a pair, can protect VMs.",
        description = {
            "",
            "Says of each thing whether it is ok, a warning or a failure, and for the latter two what to do. Needs no "
                    + "host daemon here; run it as the user who runs it, root. With --peer it asks another host's daemon "
                    + "too, measures the way there, and says which --interval and --detect that allows. Measuring fills "
                    + "the link for about a second: VMs that are protected over it may answer later meanwhile.",
            "",
            "The exit code is 1 when anything failed, or else 0.",
            ""
        },
        footer = {"", "Example:", "  remus doctor", "  remus doctor --peer 192.0.2.2 --state /var/lib/remus"})
final class DoctorCommand extends Command {
    @Option(
            names = "--peer",
            paramLabel = "ADDR:PORT",
            converter = HostCommand.ListenConverter.class,
            description = "Replication address of another host, where 'remus host' runs; default port: 7420.")
    private @Nullable HostAddress peer;

    @Option(
            names = "--arbiter",
            paramLabel = "ARBITER",
            converter = HostCommand.ArbiterConverter.class,
            description = "As for 'remus host': ask it, too.")
    private @Nullable String arbiter;

    @Option(
            names = "--arbiter-credential",
            paramLabel = "FILE",
            description = "As for 'remus host': who this host is to ZooKeeper.")
    private @Nullable Path arbiterCredential;

    @Option(names = "--state", paramLabel = "DIR", description = "The daemon's directory: look at that, too.")
    private @Nullable Path state;

    @Option(names = "--json", description = "Print one JSON document.")
    private boolean json;

    @Spec
    private @Nullable CommandSpec spec;

    DoctorCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    void run() throws CommandException {
        DoctorReport report = examine(consultation());
        print(json ? Json.write(report) : DoctorText.table(report));
        if (report.verdict().equals(Verdict.FAILURE.toString())) {
            throw new CommandException(DoctorText.failures(report));
        }
    }

    private Doctor.Consultation consultation() {
        ArbiterChoice choice = arbiter == null ? null : ArbiterChoice.parse(arbiter);
        if (arbiterCredential != null && !(choice instanceof ArbiterChoice.Ensemble)) {
            throw new ParameterException(
                    Objects.requireNonNull(spec).commandLine(),
                    "--arbiter-credential is for --arbiter zookeeper:... only");
        }
        return new Doctor.Consultation(peer, choice, arbiterCredential, state);
    }

    private DoctorReport examine(Doctor.Consultation consultation) throws CommandException {
        ProgressLine progress = new ProgressLine(terminal());
        try {
            return new Doctor(consultation, progress::show).examine();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandException("doctor: interrupted", e);
        } finally {
            progress.end();
        }
    }
}
