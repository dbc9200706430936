package remus.cli;

import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import picocli.CommandLine;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;
import remus.base.ByteSize;
import remus.base.DurationText;
import remus.base.RemusException;
import remus.bench.BenchReport;
import remus.bench.GuestLoad;
import remus.bench.MigrationCase;
import remus.bench.MigrationSettings;
import remus.bench.MigrationSystem;
import remus.qemu.Accelerator;

@CommandLine.Command(
        name = "migration",
        header = "How a guest moves to another host, against QEMU's own live migration.",
        description = {
            "",
            "In each round a small Debian guest of one definition is booted for each workload, downtime limit and system, "
                    + "and moved: by QEMU from one process to another over a UNIX socket, without a limit of bandwidth; "
                    + "by Remus between two hosts on this machine, to and fro, the way back measured. Both memories are "
                    + "compared (by Remus on the way there), and the guest has to go on with its work. Leaves nothing "
                    + "behind.",
            ""
        },
        footer = {
            "",
            "A workload is idle, or dirty-N: N pages are written every 25 ms.",
            "",
            "Example:",
            "  remus bench migration --rounds 5 --workload idle,dirty-500 --json"
        })
final class BenchMigrationCommand extends BenchSubcommand<MigrationSettings, MigrationCase> {
    @Option(names = "--rounds", paramLabel = "N", description = "How often each case is measured; default: 5.")
    private int rounds = 5;

    @Option(
            names = "--memory",
            paramLabel = "SIZE",
            converter = BenchCommand.MemoryConverter.class,
            description = "The guest's memory; default: 256MiB.")
    private ByteSize memory = ByteSize.ofMebibytes(256);

    @Option(
            names = "--accelerator",
            paramLabel = "TYPE",
            converter = BenchCommand.AcceleratorConverter.class,
            description = "tcg or kvm; default: tcg.")
    private Accelerator accelerator = Accelerator.TCG;

    @Option(
            names = "--workload",
            paramLabel = "NAME",
            split = ",",
            converter = BenchCommand.WorkloadConverter.class,
            description = "What the guest does; default: idle,dirty-500,dirty-2000.")
    private List<GuestLoad> workloads = List.of(new GuestLoad(0), new GuestLoad(500), new GuestLoad(2_000));

    @Option(
            names = "--max-downtime",
            paramLabel = "DURATION",
            split = ",",
            converter = DurationOption.class,
            description = "The downtime that both are told not to exceed; default: 30ms,300ms.")
    private List<String> downtimeLimits = List.of("30ms", "300ms");

    @Option(
            names = "--system",
            paramLabel = "NAME",
            split = ",",
            converter = SystemConverter.class,
            description = "Who moves the guest; default: qemu,remus.")
    private List<MigrationSystem> systems = List.of(MigrationSystem.QEMU, MigrationSystem.REMUS);

    @Option(
            names = "--patience",
            paramLabel = "DURATION",
            converter = DurationOption.class,
            description = "After this a migration is given up, and told as one that did not end; default: 60s.")
    private String patience = "60s";

    BenchMigrationCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    MigrationSettings settings() {
        List<Duration> limits = downtimeLimits.stream().map(DurationText::parse).toList();
        return new MigrationSettings(
                rounds, memory, accelerator, systems, workloads, limits, DurationText.parse(patience));
    }

    @Override
    BenchReport<MigrationCase> measure(MigrationSettings settings, Consumer<String> progress) throws RemusException {
        return MigrationBench.run(settings, progress);
    }

    @Override
    String table(BenchReport<MigrationCase> report) {
        return BenchMigrationText.table(report);
    }

    static final class SystemConverter implements ITypeConverter<MigrationSystem> {
        @Override
        public MigrationSystem convert(String text) {
            try {
                return MigrationSystem.parse(text);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }
}
