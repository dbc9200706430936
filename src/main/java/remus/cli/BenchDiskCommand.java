package remus.cli;

import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Option;
import remus.base.ByteSize;
import remus.base.DurationText;
import remus.base.RemusException;
import remus.bench.BenchReport;
import remus.bench.DiskCase;
import remus.bench.DiskSettings;
import remus.qemu.Accelerator;

@CommandLine.Command(
        name = "disk",
        header = "How fast a guest writes to its disk, against QEMU alone.",
        description = {
            "",
            "Three guests of one definition with Debian on their disks: QEMU writes the images of one itself (plain), "
                    + "QEMU's own NBD server those of the second (qemu-nbd), and the third one's are served by a host "
                    + "(unprotected), which in turn protects it by another host on this machine (protected). In each round fio writes in each case, 4 KiB at random places and then 1 MiB "
                    + "in sequence. Leaves nothing behind.",
            ""
        },
        footer = {"", "Example:", "  remus bench disk --rounds 3 --seconds 5 --interval 50ms"})
final class BenchDiskCommand extends BenchSubcommand<DiskSettings, DiskCase> {
    @Option(names = "--rounds", paramLabel = "N", description = "How often each case is measured; default: 5.")
    private int rounds = 5;

    @Option(
            names = "--seconds",
            paramLabel = "N",
            description = "How long, with each kind of write, in each round; default: 10.")
    private int seconds = 10;

    @Option(
            names = "--memory",
            paramLabel = "SIZE",
            converter = BenchCommand.MemoryConverter.class,
            description = "The guest's memory; default: 512MiB.")
    private ByteSize memory = ByteSize.ofMebibytes(512);

    @Option(
            names = "--disk",
            paramLabel = "SIZE",
            converter = BenchCommand.MemoryConverter.class,
            description = "The disk that is written, all over; default: 256MiB.")
    private ByteSize disk = ByteSize.ofMebibytes(256);

    @Option(
            names = "--interval",
            paramLabel = "DURATION",
            converter = DurationOption.class,
            description = "Time between two checkpoints in the protected case; default: 25ms.")
    private String interval = "25ms";

    @Option(
            names = "--accelerator",
            paramLabel = "TYPE",
            converter = BenchCommand.AcceleratorConverter.class,
            description = "tcg or kvm; default: tcg.")
    private Accelerator accelerator = Accelerator.TCG;

    @Option(
            names = "--directory",
            paramLabel = "DIR",
            description =
                    "Where the images lie meanwhile, on a file system as in use; default: the temporary directory.")
    private @Nullable Path directory;

    BenchDiskCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    DiskSettings settings() {
        return new DiskSettings(
                rounds,
                Duration.ofSeconds(seconds),
                memory,
                disk,
                DurationText.parse(interval),
                accelerator,
                directory == null ? Path.of(System.getProperty("java.io.tmpdir")) : directory.toAbsolutePath());
    }

    @Override
    BenchReport<DiskCase> measure(DiskSettings settings, Consumer<String> progress) throws RemusException {
        return DiskBench.run(settings, progress);
    }

    @Override
    String table(BenchReport<DiskCase> report) {
        return DiskText.table(report);
    }
}
