package remus.cli;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;
import remus.base.ByteSize;
import remus.base.RemusException;
import remus.bench.BenchReport;
import remus.bench.OverheadCase;
import remus.bench.OverheadSettings;
import remus.bench.OverheadWorkload;
import remus.qemu.Accelerator;

@CommandLine.Command(
        name = "overhead",
        header = "How much longer a guest's work takes under protection.",
        description = {
            "",
            "A small Debian guest on one of two hosts on this machine does the same work in turns unprotected and protected by "
                    + "the other host, at several rates of checkpoints: the figure 5 of the paper on Remus (Cully et al., "
                    + "NSDI 2008). The work is timed by the host's clock, for the guest's stands still in each pause. Leaves "
                    + "nothing behind.",
            ""
        },
        footer = {
            "",
            "A workload is idle (waits of 100 ms by the guest's clock), build (compiling C files), or spin-N: computing, while N "
                    + "pages are written every 25 ms.",
            "",
            "Example:",
            "  remus bench overhead --workload build --rate 10,40 --plot overhead.svg"
        })
final class BenchOverheadCommand extends BenchSubcommand<OverheadSettings, OverheadCase> {
    @Option(names = "--rounds", paramLabel = "N", description = "How often each case is measured; default: 5.")
    private int rounds = 5;

    @Option(
            names = "--seconds",
            paramLabel = "N",
            description = "How long the fixed work takes unprotected, about; default: 10.")
    private int seconds = 10;

    @Option(
            names = "--workload",
            paramLabel = "NAME",
            split = ",",
            converter = WorkloadConverter.class,
            description = "What the guest does; default: idle,spin-500,spin-2000,build.")
    private List<OverheadWorkload> workloads = List.of(
            OverheadWorkload.IDLE, OverheadWorkload.spin(500), OverheadWorkload.spin(2_000), OverheadWorkload.BUILD);

    @Option(
            names = "--rate",
            paramLabel = "N",
            split = ",",
            description = "Checkpoints a second, 1 to 100; default: 10,20,30,40.")
    private List<Integer> rates = List.of(10, 20, 30, 40);

    @Option(names = "--plot", paramLabel = "FILE.svg", description = "Draws it, beside the paper's figure 5.")
    private @Nullable Path plot;

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

    BenchOverheadCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    OverheadSettings settings() {
        return new OverheadSettings(rounds, Duration.ofSeconds(seconds), workloads, rates, memory, accelerator);
    }

    @Override
    void checkPlace() throws RemusException {
        if (plot != null) {
            PlotFile.check(plot);
        }
    }

    @Override
    BenchReport<OverheadCase> measure(OverheadSettings settings, Consumer<String> progress) throws RemusException {
        return OverheadBench.run(settings, progress);
    }

    @Override
    String table(BenchReport<OverheadCase> report) {
        return OverheadText.table(report);
    }

    @Override
    void keep(BenchReport<OverheadCase> report) throws RemusException {
        if (plot != null) {
            PlotFile.write(plot, OverheadPlot.of(report));
        }
    }

    static final class WorkloadConverter implements ITypeConverter<OverheadWorkload> {
        @Override
        public OverheadWorkload convert(String text) {
            try {
                return OverheadWorkload.parse(text);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }
}
