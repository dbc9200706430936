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
import remus.bench.Epochs;
import remus.bench.ThroughputCase;
import remus.bench.ThroughputSettings;
import remus.bench.ThroughputWorkload;
import remus.host.ProtectionSettings;
import remus.qemu.Accelerator;

@CommandLine.Command(
        name = "throughput",
        header = "How much clients get out of a guest, and what that takes.",
        description = {
            "",
            "A small Debian guest on one of two hosts on this machine serves iperf3 in both directions and 50 clients of Redis, "
                    + "in turns unprotected and protected by the other host. Told are the rates, the processor time and "
                    + "memory of both daemons, and the bytes sent to the backup for each page that the guest has written. "
                    + "Leaves nothing behind.",
            ""
        },
        footer = {"", "Example:", "  remus bench throughput --workload redis-50 --interval 50ms"})
final class BenchThroughputCommand extends BenchSubcommand<ThroughputSettings, ThroughputCase> {
    @Option(names = "--rounds", paramLabel = "N", description = "How often each case is measured; default: 5.")
    private int rounds = 5;

    @Option(
            names = "--seconds",
            paramLabel = "N",
            description = "How long, about, with each workload, in each round; default: 10.")
    private int seconds = 10;

    @Option(
            names = "--workload",
            paramLabel = "NAME",
            split = ",",
            converter = WorkloadConverter.class,
            description = "What clients do; default: iperf3-to-guest,iperf3-from-guest,redis-50.")
    private List<ThroughputWorkload> workloads = List.of(ThroughputWorkload.values());

    @Option(
            names = "--interval",
            paramLabel = "DURATION",
            converter = DurationOption.class,
            description = "Time between two checkpoints in the protected case, usually; default: 25ms.")
    private String interval = "25ms";

    @Option(
            names = "--max-pause-share",
            paramLabel = "PERCENT",
            converter = BenchCommand.ShareConverter.class,
            description =
                    "The part of the time that pauses may take where checkpoints come earlier for output that waits; "
                            + "default: 20%%. 0%%: always at the interval.")
    private int maxPauseSharePercent = ProtectionSettings.DEFAULTS.maxPauseShare();

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

    BenchThroughputCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    ThroughputSettings settings() {
        return new ThroughputSettings(
                rounds,
                Duration.ofSeconds(seconds),
                new Epochs(DurationText.parse(interval), maxPauseSharePercent),
                workloads,
                memory,
                accelerator);
    }

    @Override
    BenchReport<ThroughputCase> measure(ThroughputSettings settings, Consumer<String> progress) throws RemusException {
        return ThroughputBench.run(settings, progress);
    }

    @Override
    String table(BenchReport<ThroughputCase> report) {
        return ThroughputText.table(report);
    }

    static final class WorkloadConverter implements ITypeConverter<ThroughputWorkload> {
        @Override
        public ThroughputWorkload convert(String text) {
            try {
                return ThroughputWorkload.parse(text);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }
}
