package remus.cli;

import java.util.Locale;
import java.util.function.Consumer;
import picocli.CommandLine;
import picocli.CommandLine.Option;
import remus.base.DurationText;
import remus.base.RemusException;
import remus.bench.BenchReport;
import remus.bench.FailoverCase;
import remus.bench.FailoverSettings;

@CommandLine.Command(
        name = "failover",
        header = "How long a client waits when the host under its VM dies.",
        description = {
            "",
            "What remus demo does, for figures: a VM with Redis and one client on one TCP connection; the host that runs the VM "
                    + "dies at a random moment, the other one takes over, the dead one comes back as its backup, and so on. "
                    + "Told are the client's stalls, divided by what the backup's events say, and whether anything was lost. "
                    + "A kill takes some 5 s. Leaves nothing behind.",
            ""
        },
        footer = {"", "Example:", "  remus bench failover --kills 20 --kill power --json"})
final class BenchFailoverCommand extends BenchSubcommand<FailoverSettings, FailoverCase> {
    @Option(names = "--kills", paramLabel = "N", description = "How often a host dies; default: 50.")
    private int kills = 50;

    @Option(
            names = "--kill",
            paramLabel = "mixed|process|power",
            converter = DemoCommand.KillsOption.class,
            description = "How it dies. process: daemon and QEMU are killed; power: its link goes down at the same "
                    + "instant; mixed (default): in turn.")
    private DemoCommand.Kills kind = DemoCommand.Kills.MIXED;

    @Option(
            names = "--detect",
            paramLabel = "DURATION",
            converter = DurationOption.class,
            description = "Silence after which the backup takes over; default: 100ms.")
    private String detect = "100ms";

    BenchFailoverCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    FailoverSettings settings() {
        return new FailoverSettings(kills, kind.name().toLowerCase(Locale.ROOT), DurationText.parse(detect));
    }

    @Override
    BenchReport<FailoverCase> measure(FailoverSettings settings, Consumer<String> progress) throws RemusException {
        return FailoverBench.run(settings, terminal(), progress);
    }

    @Override
    String table(BenchReport<FailoverCase> report) {
        return FailoverText.table(report);
    }
}
