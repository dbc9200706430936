package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CensusTest {
    private static final long MIB = 1 << 20;
    private static final HostCount BEFORE = count(1, 1, 5, 60, 128 * MIB, 100 * MIB);

    private static HostCount count(long qemus, long taps, long files, long sockets, long mapped, long offHeap) {
        Map<String, Long> kinds = Map.of("socket", sockets, "anon_inode:[eventpoll]", 4L);
        return new HostCount(
                "delta", qemus, taps, files, 1_000, sockets + 4, new TreeMap<>(kinds), mapped, offHeap, 20);
    }

    @Test
    void whatIsTheSameOrLessIsNoLeak() {
        assertEquals(List.of(), BEFORE.leaksSince(BEFORE));
        assertEquals(List.of(), count(0, 0, 0, 10, 0, 0).leaksSince(BEFORE));
    }

    @Test
    void oneQemuTapFileOrMappingMoreIsALeakThatIsNamed() {
        assertEquals(
                List.of(
                        "delta: 2 QEMU processes, before 1",
                        "delta: 3 TAP devices, before 1",
                        "delta: 6 files on tmpfs, before 5",
                        "delta: 134,217,729 bytes of guest memory mapped, before 134,217,728"),
                count(2, 3, 6, 60, 128 * MIB + 1, 100 * MIB).leaksSince(BEFORE));
    }

    @Test
    void whatAJvmDoesByItselfIsSparedAndNoMore() {
        HostCount empty = count(0, 0, 0, 60, 0, 29_000);
        long sockets = 60 + HostCount.SPARE_DESCRIPTORS;
        long offHeap = 29_000 + HostCount.SPARE_OFF_HEAP_BYTES;
        assertEquals(List.of(), count(0, 0, 0, sockets, 0, offHeap).leaksSince(empty));
        assertEquals(
                List.of(
                        "delta: 69 open file descriptors, before 64: 5 more of socket",
                        "delta: 2,126,153 bytes off the heap, before 29,000"),
                count(0, 0, 0, sockets + 1, 0, offHeap + 1).leaksSince(empty));
    }

    @Test
    void whatADaemonKeepsFromItsFirstDiskOnIsNoLeak() {
        HostCount fresh = count(0, 0, 0, 10, 0, 41_328);
        assertEquals(List.of(), count(0, 0, 0, 10, 0, 1_389_472).leaksSince(fresh));
    }

    @Test
    void whatASessionKeepsOffTheHeapIsNoLeak() {
        assertEquals(List.of(), count(1, 1, 5, 60, 128 * MIB, 300 * MIB).leaksSince(BEFORE));
    }

    @Test
    void hostsAreComparedOneByOneInTheirOrder() {
        HostCount empty = count(0, 0, 0, 10, 0, 0);
        Census before = new Census("protected", List.of(BEFORE, empty));
        assertEquals(List.of(), new Census("protected", List.of(BEFORE, empty)).leaksSince(before));
        List<String> leaks = new Census("protected", List.of(empty, BEFORE)).leaksSince(before);
        assertTrue(leaks.contains("protected: delta: 1 QEMU processes, before 0"), leaks.toString());
        assertThrows(IllegalArgumentException.class, () -> new Census("empty", List.of(empty)).leaksSince(before));
        assertEquals(6, before.sum(HostCount::qemus) + before.sum(HostCount::tmpfsFiles));
    }

    @Test
    void whatIsOffTheHeapIsReadFromTheJvmsAnswer() throws Exception {
        assertEquals(13_010_240, HostCensus.offHeapBytes("""
                17116:
                Command executed successfully
                -                  Internal (reserved=1282990, committed=1282990)
                                            (malloc=1246126 tag=Internal #2388)

                -                     Other (reserved=13010240, committed=13010240)
                                            (malloc=13010240 tag=Other #4) (at peak)
                """));
        CommandException failure = assertThrows(
                CommandException.class, () -> HostCensus.offHeapBytes("Native memory tracking is not enabled"));
        assertTrue(String.valueOf(failure.getMessage()).contains("is not enabled"), failure.getMessage());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            socket:[34567]                            | socket
            pipe:[12]                                 | pipe
            anon_inode:[eventfd]                      | anon_inode:[eventfd]
            anon_inode:[userfaultfd]                  | anon_inode:[userfaultfd]
            /dev/net/tun                              | /dev/net/tun
            /dev/shm/remus-1a2b/vm1.1/ram             | files in /dev/shm/remus-1a2b/vm1.1
            /dev/shm/remus-1a2b/vm1.1/ram (deleted)   | deleted files in /dev/shm/remus-1a2b/vm1.1
            /usr/lib/jvm/temurin-25/lib/modules       | files in /usr/lib/jvm/temurin-25/lib
            /home/u/.m2/repository/x/y/1/y-1.jar      | libraries
            """)
    void descriptorsAreSortedByWhatTheyAreOf(String target, String kind) {
        assertEquals(kind, HostCensus.kind(target));
    }
}
