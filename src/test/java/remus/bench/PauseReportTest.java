package remus.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import remus.api.Json;
import remus.base.ByteSize;
import remus.qemu.Accelerator;
import remus.qemu.MachineType;
import remus.qemu.VmDefinition;

class PauseReportTest {
    private static VmDefinition vm() {
        return new VmDefinition(
                "bench",
                MachineType.PC,
                1,
                ByteSize.ofMebibytes(256),
                Accelerator.TCG,
                "max",
                new VmDefinition.Boot(Path.of("/boot/vmlinuz"), null, ""),
                List.of(),
                List.of(),
                null);
    }

    private static PauseCase measured() {
        PauseSamples samples = new PauseSamples();
        for (long micros = 1; micros <= 101; micros++) {
            samples.pause.add(micros * 3_000);
            samples.floor.add(micros * 2_000);
            samples.pages.add(micros);
        }
        return samples.summary(vm(), 500);
    }

    @Test
    @SuppressWarnings("unchecked")
    void theReportHasTheKeysOfTheContract() {
        BenchMachine machine = new BenchMachine(2, 1L << 30, "6.18.44", "7.2.22", "25.0.3", "tcg");
        String json = Json.write(new BenchReport<>("pause", "2026-11-22", machine, List.of(measured())));

        Map<String, Object> report = Json.read(json, Map.class);
        assertEquals(List.of("bench", "date", "machine", "runs"), List.copyOf(report.keySet()));
        assertEquals("pause", report.get("bench"));
        assertEquals("2026-11-22", report.get("date"));
        assertEquals(
                List.of("cpus", "memoryBytes", "kernel", "qemu", "jdk", "accelerator"),
                List.copyOf(((Map<String, Object>) Objects.requireNonNull(report.get("machine"))).keySet()));

        List<Map<String, Object>> runs = (List<Map<String, Object>>) Objects.requireNonNull(report.get("runs"));
        Map<String, Object> run = runs.getFirst();
        assertEquals(
                List.of(
                        "machineType",
                        "memoryBytes",
                        "dirtyPages",
                        "dirtyPagesMeasured",
                        "pauseMicrosP50",
                        "floorMicrosP50",
                        "ratio",
                        "pauseMicrosMin",
                        "pauseMicrosP99",
                        "pauseMicrosMax",
                        "floorMicrosMin",
                        "floorMicrosP99",
                        "floorMicrosMax",
                        "checkpoints",
                        "floorCycles",
                        "deviceStateBytes",
                        "aheadMicrosP50",
                        "pagesInPauseP50",
                        "stopMicrosP50",
                        "saveMicrosP50",
                        "findMicrosP50",
                        "copyMicrosP50",
                        "readMicrosP50",
                        "lateMicrosP50",
                        "contMicrosP50",
                        "floorStopMicrosP50",
                        "floorSaveMicrosP50",
                        "floorContMicrosP50"),
                List.copyOf(run.keySet()));
        assertEquals("pc", run.get("machineType"));
        assertEquals(256 << 20, run.get("memoryBytes"));
        assertEquals(500, run.get("dirtyPages"));
    }

    @Test
    void theFiguresAreThoseOfTheSamples() {
        PauseCase run = measured();
        assertEquals(51, run.dirtyPagesMeasured());
        assertEquals(153, run.pauseMicrosP50());
        assertEquals(102, run.floorMicrosP50());
        assertEquals(1.5, run.ratio());
        assertEquals(3, run.pauseMicrosMin());
        assertEquals(300, run.pauseMicrosP99());
        assertEquals(303, run.pauseMicrosMax());
        assertEquals(101, run.checkpoints());
    }

    @Test
    void nothingMeasuredIsAllZeros() {
        PauseCase run = new PauseSamples().summary(vm(), 0);
        assertEquals(0, run.pauseMicrosP50());
        assertEquals(0, run.ratio());
        assertEquals(0, run.checkpoints());
    }

    @Test
    void aGuestTooSmallForItsPagesIsRefused() {
        IllegalArgumentException refused = assertThrows(
                IllegalArgumentException.class,
                () -> new PauseSettings(
                        MachineType.Q35,
                        ByteSize.ofMebibytes(256),
                        Accelerator.TCG,
                        List.of(500, 100_000),
                        Duration.ofSeconds(1)));
        assertEquals("a guest of 256 MiB can't write 100000 pages: give it at least 550.6 MiB", refused.getMessage());
    }
}
