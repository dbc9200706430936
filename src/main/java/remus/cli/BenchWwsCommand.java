package remus.cli;

import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import picocli.CommandLine;
import picocli.CommandLine.Option;
import remus.base.ByteSize;
import remus.base.DurationText;
import remus.base.RemusException;
import remus.bench.BenchReport;
import remus.bench.GuestLoad;
import remus.bench.WwsBench;
import remus.bench.WwsCase;
import remus.bench.WwsSettings;
import remus.qemu.Accelerator;

@CommandLine.Command(
        name = "wws",
        header = "The writable working set: which pages a guest writes, over time.",
        description = {
            "",
            "Boots a small Debian guest for each workload and collects the pages that it writes in short intervals, and "
                    + "how many distinct ones these are over 0.1 to 5 s (Clark et al., NSDI 2005, section 4): what "
                    + "rounds of pre-copy have to send. Watches guests of its own, not a VM of a host; the report of a "
                    + "migration has the pages that its VM wrote in each round.",
            ""
        },
        footer = {
            "",
            "A workload is idle, or dirty-N: N pages are written every 25 ms.",
            "",
            "Example:",
            "  remus bench wws --seconds 30 --workload idle,dirty-2000"
        })
final class BenchWwsCommand extends BenchSubcommand<WwsSettings, WwsCase> {
    @Option(names = "--seconds", paramLabel = "N", description = "How long each guest is watched; default: 30.")
    private int seconds = 30;

    @Option(
            names = "--interval",
            paramLabel = "DURATION",
            converter = DurationOption.class,
            description = "How often written pages are collected, 5 to 100 ms; default: 50ms.")
    private String interval = "50ms";

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

    BenchWwsCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    WwsSettings settings() {
        return new WwsSettings(
                memory, accelerator, workloads, Duration.ofSeconds(seconds), DurationText.parse(interval));
    }

    @Override
    BenchReport<WwsCase> measure(WwsSettings settings, Consumer<String> progress) throws RemusException {
        return new WwsBench(settings, progress).run();
    }

    @Override
    String table(BenchReport<WwsCase> report) {
        return WwsText.table(report);
    }
}
