package remus.cli;

import java.time.Duration;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.TypeConversionException;
import remus.api.Json;
import remus.base.ByteSize;
import remus.base.RemusException;
import remus.bench.BenchReport;
import remus.bench.GuestLoad;
import remus.bench.PauseBench;
import remus.bench.PauseCase;
import remus.bench.PauseSettings;
import remus.qemu.Accelerator;
import remus.qemu.MachineType;

@CommandLine.Command(
        name = "bench",
        synopsisSubcommandLabel = "NAME",
        header = "Measure what protection and migration cost on this machine.",
        description = {"", "Needs no host daemon: each bench starts what it needs and leaves nothing behind.", ""},
        commandListHeading = "%nBenches:%n",
        footer = {"", "Example:", "  remus bench pause --json"})
final class BenchCommand {
    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Show this help and end.")
    @SuppressWarnings("UnusedVariable") // picocli acts on it.
    private boolean help;

    private BenchCommand() {}

    static CommandLine commandLine(Terminal terminal) {
        return new CommandLine(new BenchCommand())
                .addSubcommand(new Pause(terminal))
                .addSubcommand(new BenchDiskCommand(terminal))
                .addSubcommand(new BenchMigrationCommand(terminal))
                .addSubcommand(new BenchWwsCommand(terminal));
    }

    @CommandLine.Command(
            name = "pause",
            header = "How long a checkpoint pauses the guest, against QEMU alone.",
            description = {
                "",
                "Boots a small Debian guest for each number of pages, which it then writes once in every 25 ms, and takes "
                        + "checkpoints of it every 25 ms. In turns with that, the three commands that no checkpoint can "
                        + "do without (stop, save the devices, cont) are run bare: the floor.",
                ""
            },
            footer = {"", "Example:", "  remus bench pause --machine pc --pages 0,500 --seconds 20"})
    static final class Pause extends Command {
        @Option(
                names = "--machine",
                paramLabel = "TYPE",
                converter = MachineConverter.class,
                description = "q35, pc or microvm; default: q35.")
        private MachineType machine = MachineType.Q35;

        @Option(
                names = "--memory",
                paramLabel = "SIZE",
                converter = MemoryConverter.class,
                description = "The guest's memory; default: 256MiB.")
        private ByteSize memory = ByteSize.ofMebibytes(256);

        @Option(
                names = "--accelerator",
                paramLabel = "TYPE",
                converter = AcceleratorConverter.class,
                description = "tcg or kvm; default: tcg.")
        private Accelerator accelerator = Accelerator.TCG;

        @Option(
                names = "--pages",
                paramLabel = "N",
                split = ",",
                description = "How many pages the guest writes, 0 for an idle one; default: 0,256,500,1000,2000.")
        private List<Integer> pages = List.of(0, 256, 500, 1_000, 2_000);

        @Option(names = "--seconds", paramLabel = "N", description = "How long each case is measured; default: 20.")
        private int seconds = 20;

        @Option(names = "--json", description = "Print one JSON document.")
        private boolean json;

        @CommandLine.Spec
        private CommandLine.Model.@org.jspecify.annotations.Nullable CommandSpec spec;

        Pause(Terminal terminal) {
            super(terminal);
        }

        @Override
        void run() throws RemusException {
            PauseSettings settings = settings();
            ProgressLine progress = new ProgressLine(terminal());
            BenchReport<PauseCase> report;
            try {
                report = new PauseBench(settings, progress::show).run();
            } finally {
                progress.end();
            }
            print(json ? Json.write(report) : PauseText.table(report));
        }

        private PauseSettings settings() {
            try {
                return new PauseSettings(machine, memory, accelerator, pages, Duration.ofSeconds(seconds));
            } catch (IllegalArgumentException e) {
                throw new ParameterException(
                        java.util.Objects.requireNonNull(spec).commandLine(), String.valueOf(e.getMessage()), e);
            }
        }
    }

    static final class MachineConverter implements ITypeConverter<MachineType> {
        @Override
        public MachineType convert(String text) {
            for (MachineType machine : MachineType.values()) {
                if (machine.key().equals(text)) {
                    return machine;
                }
            }
            throw new TypeConversionException("'" + text + "' is not a machine: use q35, pc or microvm");
        }
    }

    static final class AcceleratorConverter implements ITypeConverter<Accelerator> {
        @Override
        public Accelerator convert(String text) {
            for (Accelerator accelerator : Accelerator.values()) {
                if (accelerator.key().equals(text)) {
                    return accelerator;
                }
            }
            throw new TypeConversionException("'" + text + "' is neither tcg nor kvm");
        }
    }

    static final class MemoryConverter implements ITypeConverter<ByteSize> {
        @Override
        public ByteSize convert(String text) {
            try {
                return ByteSize.parse(text);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }

    static final class WorkloadConverter implements ITypeConverter<GuestLoad> {
        @Override
        public GuestLoad convert(String text) {
            try {
                return GuestLoad.parse(text);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }
}
