package remus.cli;

import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import picocli.CommandLine;
import picocli.CommandLine.Option;
import remus.base.ByteSize;
import remus.base.RemusException;
import remus.bench.BenchReport;
import remus.bench.PauseBench;
import remus.bench.PauseCase;
import remus.bench.PauseSettings;
import remus.qemu.Accelerator;
import remus.qemu.MachineType;

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
final class BenchPauseCommand extends BenchSubcommand<PauseSettings, PauseCase> {
    @Option(
            names = "--machine",
            paramLabel = "TYPE",
            converter = BenchCommand.MachineConverter.class,
            description = "q35, pc or microvm; default: q35.")
    private MachineType machine = MachineType.Q35;

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
            names = "--pages",
            paramLabel = "N",
            split = ",",
            description = "How many pages the guest writes, 0 for an idle one; default: 0,256,500,1000,2000.")
    private List<Integer> pages = List.of(0, 256, 500, 1_000, 2_000);

    @Option(names = "--seconds", paramLabel = "N", description = "How long each case is measured; default: 20.")
    private int seconds = 20;

    BenchPauseCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    PauseSettings settings() {
        return new PauseSettings(machine, memory, accelerator, pages, Duration.ofSeconds(seconds));
    }

    @Override
    BenchReport<PauseCase> measure(PauseSettings settings, Consumer<String> progress) throws RemusException {
        return new PauseBench(settings, progress).run();
    }

    @Override
    String table(BenchReport<PauseCase> report) {
        return PauseText.table(report);
    }
}
