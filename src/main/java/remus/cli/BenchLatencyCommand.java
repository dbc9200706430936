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
import remus.bench.LatencyCase;
import remus.bench.LatencyMode;
import remus.bench.LatencySettings;
import remus.host.ProtectionSettings;
import remus.qemu.Accelerator;

@CommandLine.Command(
        name = "latency",
        header = "How long a guest's client waits for its answers, and what that costs.",
        description = {
            "",
            "A small Debian guest on one of two hosts on this machine answers a client by Redis on one TCP connection, one "
                    + "request at a time, and computes beside that. In turns it is unprotected and protected by the other "
                    + "host with different epochs. Told are the client's waits, and how much longer a fixed amount of the "
                    + "guest's computing takes by the host's clock. Leaves nothing behind.",
            ""
        },
        footer = {"", "Example:", "  remus bench latency --rounds 3 --mode unprotected,fixed-25ms"})
final class BenchLatencyCommand extends BenchSubcommand<LatencySettings, LatencyCase> {
    @Option(names = "--rounds", paramLabel = "N", description = "How often each mode is measured; default: 5.")
    private int rounds = 5;

    @Option(
            names = "--seconds",
            paramLabel = "N",
            description = "How long the guest's fixed work takes unprotected; default: 10.")
    private int seconds = 10;

    @Option(
            names = "--mode",
            paramLabel = "NAME",
            split = ",",
            converter = ModeConverter.class,
            description = "unprotected, fixed-25ms, fixed-100ms, output-triggered; default: all of them.")
    private List<LatencyMode> modes = List.of(LatencyMode.values());

    @Option(
            names = "--max-pause-share",
            paramLabel = "PERCENT",
            converter = BenchCommand.ShareConverter.class,
            description = "The part of the time that pauses may take in output-triggered, 1%% to 50%%; default: 20%%.")
    private int maxPauseSharePercent = ProtectionSettings.DEFAULTS.maxPauseShare();

    @Option(
            names = "--every",
            paramLabel = "DURATION",
            converter = DurationOption.class,
            description =
                    "A request is sent at most once in such a time, 0ms: as soon as there is an answer; default: 10ms.")
    private String every = "10ms";

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

    BenchLatencyCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    LatencySettings settings() {
        return new LatencySettings(
                rounds,
                Duration.ofSeconds(seconds),
                DurationText.parse(every),
                modes,
                maxPauseSharePercent,
                memory,
                accelerator);
    }

    @Override
    BenchReport<LatencyCase> measure(LatencySettings settings, Consumer<String> progress) throws RemusException {
        return LatencyBench.run(settings, progress);
    }

    @Override
    String table(BenchReport<LatencyCase> report) {
        return LatencyText.table(report);
    }

    static final class ModeConverter implements ITypeConverter<LatencyMode> {
        @Override
        public LatencyMode convert(String text) {
            try {
                return LatencyMode.parse(text);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }
}
