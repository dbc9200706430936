package remus.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import remus.api.CheckpointStatus;
import remus.api.Json;
import remus.api.Percentiles;
import remus.base.ByteSize;
import remus.bench.DiskTally.Setting;
import remus.qemu.Accelerator;

class DiskReportTest {
    private static final long MEBIBYTE = 1 << 20;

    private static DiskSettings settings(int rounds, int seconds, long memoryMebibytes, long diskBytes) {
        return new DiskSettings(
                rounds,
                Duration.ofSeconds(seconds),
                ByteSize.ofMebibytes(memoryMebibytes),
                new ByteSize(diskBytes),
                Duration.ofMillis(25),
                Accelerator.TCG,
                Path.of("/tmp"));
    }

    private static CheckpointStatus checkpoints(long each) {
        return new CheckpointStatus(
                each,
                new Percentiles(each, 2 * each, 3 * each),
                new Percentiles(7, 8, 9),
                new Percentiles(10 * each, 20 * each, 30 * each),
                0,
                0);
    }

    /** Three rounds, of which the second ran on a machine with half the speed. */
    private static List<DiskCase> cases() {
        DiskTally tally = new DiskTally(settings(3, 10, 512, 256 * MEBIBYTE));
        long number = 100;
        for (double speed : new double[] {1, 0.5, 1.5}) {
            for (DiskWorkload workload : DiskWorkload.values()) {
                tally.add(Setting.PLAIN, workload, new DiskTally.Turn(speed * 100 * MEBIBYTE, null));
                tally.add(Setting.QEMU_NBD, workload, new DiskTally.Turn(speed * 85 * MEBIBYTE, null));
                tally.add(Setting.UNPROTECTED, workload, new DiskTally.Turn(speed * 90 * MEBIBYTE, null));
                tally.add(
                        Setting.PROTECTED,
                        workload,
                        new DiskTally.Turn((speed * 80 - 10) * MEBIBYTE, checkpoints(number)));
            }
            number += 100;
        }
        return tally.cases();
    }

    @Test
    @SuppressWarnings("unchecked")
    void theReportHasTheKeysOfTheContract() {
        BenchMachine machine = new BenchMachine(2, 1L << 30, "6.18.44", "7.2.22", "25.0.3", "tcg");
        String json = Json.write(new BenchReport<>("disk", "2026-11-22", machine, cases()));
        Map<String, Object> report = Json.read(json, Map.class);
        List<Map<String, Object>> runs = (List<Map<String, Object>>) Objects.requireNonNull(report.get("runs"));
        assertEquals(
                List.of(
                        "plain randwrite-4k",
                        "qemu-nbd randwrite-4k",
                        "unprotected randwrite-4k",
                        "protected randwrite-4k",
                        "plain write-1m",
                        "qemu-nbd write-1m",
                        "unprotected write-1m",
                        "protected write-1m"),
                runs.stream()
                        .map(run -> run.get("case") + " " + run.get("workload"))
                        .toList());
        assertTrue(
                runs.getFirst()
                        .keySet()
                        .containsAll(List.of(
                                "mebibytesPerSecondP50",
                                "mebibytesPerSecondMin",
                                "mebibytesPerSecondMax",
                                "iopsP50",
                                "iopsMin",
                                "iopsMax",
                                "ratioToPlain",
                                "pauseMicrosP50",
                                "pauseMicrosP99",
                                "commitMicrosP50",
                                "commitMicrosP99",
                                "intervalMillis")),
                json);
    }

    @Test
    void aCaseIsTheMedianOfItsRoundsAndItsRatioThatOfTheMedians() {
        DiskCase run = cases().get(3);
        assertEquals("protected", run.setting());
        assertEquals(3, run.rounds());
        assertEquals(70, run.mebibytesPerSecondP50());
        assertEquals(30, run.mebibytesPerSecondMin());
        assertEquals(110, run.mebibytesPerSecondMax());
        assertEquals(70 * 256, run.iopsP50());
        assertEquals(0.7, run.ratioToPlain());
        assertEquals(0.6, run.ratioToPlainMin(), "of the round in which both were slow");
        assertEquals(0.733, run.ratioToPlainMax());
    }

    @Test
    void pausesAndCommitsAreThoseOfTheProtectedCases() {
        DiskCase unprotected = cases().get(2);
        assertNull(unprotected.checkpoints());
        assertNull(unprotected.pauseMicrosP50());
        assertNull(unprotected.intervalMillis());
        DiskCase run = cases().get(3);
        assertEquals(600, run.checkpoints());
        assertEquals(200, run.pauseMicrosP50());
        assertEquals(400, run.pauseMicrosP99());
        assertEquals(900, run.pauseMicrosMax());
        assertEquals(2_000, run.commitMicrosP50());
        assertEquals(9_000, run.commitMicrosMax());
        assertEquals(25, run.intervalMillis());
    }

    @Test
    void aTallyWithARoundMissingIsNoReport() {
        DiskTally tally = new DiskTally(settings(1, 1, 512, 16 * MEBIBYTE));
        tally.add(Setting.PLAIN, DiskWorkload.RANDOM_4K, new DiskTally.Turn(1, null));
        assertThrows(IllegalStateException.class, tally::cases);
    }

    @Test
    void whatCantBeMeasuredIsRefused() {
        for (Runnable refused : List.<Runnable>of(
                () -> settings(0, 1, 512, 16 * MEBIBYTE),
                () -> settings(1, 0, 512, 16 * MEBIBYTE),
                () -> settings(1, 1, 128, 16 * MEBIBYTE),
                () -> settings(1, 1, 512, 15 * MEBIBYTE),
                () -> settings(1, 1, 512, 16 * MEBIBYTE + 512))) {
            assertThrows(IllegalArgumentException.class, refused::run);
        }
    }

    @Test
    void fioWritesPastTheGuestsPageCacheAndNamesItsDepth() {
        assertEquals(
                "fio --name=bench --filename=/dev/vdb --rw=randwrite --bs=4096 --direct=1 --ioengine=libaio --iodepth=16"
                        + " --time_based --runtime=60",
                DiskWorkload.RANDOM_4K.command("/dev/vdb", 60));
        assertTrue(DiskWorkload.SEQUENTIAL_1M.command("/dev/vdb", 60).contains("--rw=write --bs=1048576"));
    }
}
