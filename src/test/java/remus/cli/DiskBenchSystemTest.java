package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.base.ByteSize;
import remus.bench.BenchReport;
import remus.bench.DiskCase;
import remus.bench.DiskSettings;
import remus.qemu.Accelerator;

/** A short run of the real thing. What it measures is looked at for sense only: a busy machine makes it anything. */
@Tag("system")
@Tag("long")
@Timeout(900)
class DiskBenchSystemTest {
    @TempDir
    private Path directory;

    @Test
    void aShortRunMeasuresAllCasesInTurnsAndLeavesNothing() throws Exception {
        List<String> before = BenchLeftovers.list("disk");
        List<String> progress = new ArrayList<>();
        DiskSettings settings = new DiskSettings(
                1,
                Duration.ofSeconds(1),
                ByteSize.ofMebibytes(512),
                ByteSize.ofMebibytes(32),
                Duration.ofMillis(25),
                Accelerator.TCG,
                directory);

        BenchReport<DiskCase> report = DiskBench.run(settings, progress::add);

        assertEquals("disk", report.bench());
        assertEquals(8, report.runs().size());
        for (DiskCase run : report.runs()) {
            assertTrue(run.mebibytesPerSecondP50() > 0 && run.iopsP50() > 0, run.toString());
            assertEquals(run.setting().equals("protected"), run.checkpoints() != null, run.toString());
            assertTrue(run.checkpoints() == null || run.checkpoints() > 0, run.toString());
        }
        assertTrue(DiskText.table(report).lines().allMatch(line -> line.length() <= 90), DiskText.table(report));
        assertTrue(progress.contains("round 1 of 1, plain, write-1m: 1 s"), progress.toString());
        assertEquals(List.of(), list(directory), "files");
        assertEquals(before, BenchLeftovers.list("disk"));
    }

    private static List<String> list(Path path) throws Exception {
        if (!Files.isDirectory(path)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(path)) {
            return files.map(file -> file.getFileName().toString()).toList();
        }
    }
}
