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

/** A short run of the real thing: what a guest is known to write is found. */
@Tag("system")
@Timeout(300)
class WwsBenchSystemTest {
    @Test
    void theWorkingSetOfAGuestIsAtLeastWhatItWritesAllTheTime() throws Exception {
        Set<Path> before = leftovers();
        List<String> progress = new ArrayList<>();
        WwsSettings settings = new WwsSettings(
                ByteSize.ofMebibytes(256),
                Accelerator.TCG,
                List.of(new GuestLoad(500)),
                Duration.ofSeconds(3),
                Duration.ofMillis(50));

        BenchReport<WwsCase> report = new WwsBench(settings, progress::add).run();

        assertEquals("wws", report.bench());
        WwsCase run = report.runs().getFirst();
        assertEquals("dirty-500", run.workload());
        // By any clock a guest on a busy machine comes to its work within seconds.
        assertTrue(run.distinctPages() >= 500, run.toString());
        assertTrue(run.distinctPages() < (256 << 20) / 4096, run.toString());
        assertTrue(run.pagesPerIntervalMax() >= run.pagesPerIntervalP50(), run.toString());
        assertEquals(5, run.windows().size());
        assertTrue(run.windows().getFirst().count() > 1, run.toString());
        assertEquals(0, run.windows().getLast().count(), "3 s are no window of 5 s");
        assertTrue(progress.contains("dirty-500: watching for 3 s"), progress.toString());
        assertEquals(before, leftovers());
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
