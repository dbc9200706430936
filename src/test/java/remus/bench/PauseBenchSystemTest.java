package remus.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import remus.base.ByteSize;
import remus.qemu.Accelerator;
import remus.qemu.MachineType;

/** A short run of the real thing. Times are looked at for sense only: a busy machine makes any of them long. */
@Tag("system")
@Timeout(300)
class PauseBenchSystemTest {
    @Test
    void aShortRunMeasuresBothInTurnsAndLeavesNothing() throws Exception {
        Set<Path> before = leftovers();
        List<String> progress = new ArrayList<>();
        PauseSettings settings = new PauseSettings(
                MachineType.Q35, ByteSize.ofMebibytes(256), Accelerator.TCG, List.of(500), Duration.ofSeconds(2));

        BenchReport<PauseCase> report = new PauseBench(settings, progress::add).run();

        assertEquals("pause", report.bench());
        assertEquals("tcg", report.machine().accelerator());
        assertEquals(1, report.runs().size());
        PauseCase run = report.runs().getFirst();
        assertEquals("q35", run.machineType());
        assertEquals(500, run.dirtyPages());
        assertTrue(run.dirtyPagesMeasured() > 0, run.toString());
        assertTrue(run.checkpoints() > 0 && run.floorCycles() > 0, run.toString());
        assertTrue(run.deviceStateBytes() > 1_000, run.toString());
        assertTrue(ordered(run.pauseMicrosMin(), run.pauseMicrosP50(), run.pauseMicrosP99(), run.pauseMicrosMax()));
        assertTrue(ordered(run.floorMicrosMin(), run.floorMicrosP50(), run.floorMicrosP99(), run.floorMicrosMax()));
        assertTrue(run.stopMicrosP50() > 0 && run.saveMicrosP50() > 0 && run.contMicrosP50() > 0, run.toString());
        assertTrue(run.floorStopMicrosP50() > 0 && run.floorContMicrosP50() > 0, run.toString());
        assertEquals((double) run.pauseMicrosP50() / run.floorMicrosP50(), run.ratio(), 0.01);
        assertTrue(progress.contains("q35, 500 pages: booting"), progress.toString());
        assertEquals(before, leftovers());
    }

    private static boolean ordered(long... values) {
        for (int i = 1; i < values.length; i++) {
            if (values[i - 1] > values[i]) {
                return false;
            }
        }
        return values[0] > 0;
    }

    private static Set<Path> leftovers() throws Exception {
        try (Stream<Path> files = Files.list(Path.of("/dev/shm"))) {
            return files.filter(file -> file.getFileName()
                            .toString()
                            .startsWith("remus-bench-" + ProcessHandle.current().pid() + "-"))
                    .collect(Collectors.toSet());
        }
    }
}
