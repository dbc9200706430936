package remus.memory;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import remus.linux.LinuxException;
import remus.linux.ProcessIdentity;

/** Attaching to a QEMU that this JVM started leaves no trace in it. */
@Tag("system")
@Timeout(120)
class AttachTest {
    private static final int ATTACHES = 50;
    private static final int SPIN = 100_000;
    private static final int SIGCONT = 18;
    private static final int SIGSTOP = 19;

    @TempDir
    Path directory;

    @Test
    void fiftyAttachesInARowLeaveQemuAsItWas() throws Exception {
        try (TestVm vm = new TestVm(directory, TestGuest.WRITER, "tcg", TestGuest.MEMORY_BYTES, SPIN);
                GuestMemory memory = GuestMemory.forReading(vm.ram())) {
            vm.awaitLoops(memory, 1);
            Map<String, String> masks = signalMasks(vm.pid());
            DirtyPages pages = new DirtyPages();
            for (int i = 1; i <= ATTACHES; i++) {
                DirtyTracking.Choice choice = i % 2 == 0 ? DirtyTracking.Choice.ASYNC : DirtyTracking.Choice.SYNC;
                try (DirtyTracker tracker = attach(vm, choice)) {
                    assertEquals(0, userfaultfdsIn(vm.pid()), "descriptors left in QEMU after attach " + i);
                    tracker.arm();
                    vm.awaitLoops(memory, 2);
                    pages.clear();
                    tracker.collect(pages);
                    assertTrue(pages.pageCount() > 0, "attach " + i + " noted nothing");
                }
                assertTrue(vm.process().isAlive(), "attach " + i + " was taken for QEMU's end");
            }
            vm.awaitLoops(memory, 2);
            masks.keySet().retainAll(signalMasks(vm.pid()).keySet());
            Map<String, String> after = signalMasks(vm.pid());
            after.keySet().retainAll(masks.keySet());
            assertEquals(masks, after);
            assertFalse(vm.process().onExit().isDone());
            assertTrue(vm.execute("query-status").contains("\"running\": true"));
        }
    }

    @Test
    void aQemuWithoutPrivilegeIsTrackedAsynchronouslyAndNotOtherwise() throws Exception {
        try (TestVm vm = TestVm.unprivileged(directory, TestGuest.WRITER, SPIN)) {
            DirtyTrackingException failure =
                    assertThrows(DirtyTrackingException.class, () -> attach(vm, DirtyTracking.Choice.SYNC));
            assertTrue(failure.toString().contains("vm.unprivileged_userfaultfd=1"), failure.toString());
            try (TrackedVm tracked = new TrackedVm(
                    vm, DirtyTracking.Choice.AUTO, ResetStrategy.ONE_RESETTING_SCAN, GuestMemoryDevice.NO_DIGESTS)) {
                for (int i = 1; i <= 40; i++) {
                    vm.awaitLoops(tracked.memory, 3);
                    tracked.takeCheckpoint();
                    assertEquals(-1, tracked.firstWrongPage(), "checkpoint " + i);
                    tracked.resume();
                }
            }
        }
    }

    @Test
    void aStoppedQemuIsRefusedAndStaysStoppedUntilItIsContinued() throws Exception {
        try (TestVm vm = new TestVm(directory, TestGuest.WRITER, "tcg", TestGuest.MEMORY_BYTES, SPIN);
                GuestMemory memory = GuestMemory.forReading(vm.ram())) {
            vm.awaitLoops(memory, 1);
            ProcessIdentity qemu = ProcessIdentity.of(vm.pid()).orElseThrow();
            assertTrue(qemu.signal(SIGSTOP));
            assertRefused("SIGCONT", vm.pid(), vm.ram());
            int counter = TestVm.counter(memory);
            LockSupport.parkNanos(50_000_000);
            assertEquals(counter, TestVm.counter(memory));
            assertTrue(qemu.signal(SIGCONT));
            try (DirtyTracker tracker = attach(vm, DirtyTracking.Choice.AUTO)) {
                tracker.arm();
                vm.awaitLoops(memory, 2);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"ASYNC", "SYNC"})
    void trackingSaysSoWhenQemuDies(DirtyTracking.Choice choice) throws Exception {
        try (TestVm vm = new TestVm(directory, TestGuest.WRITER, "tcg", TestGuest.MEMORY_BYTES, SPIN);
                GuestMemory memory = GuestMemory.forReading(vm.ram());
                DirtyTracker tracker = attach(vm, choice)) {
            tracker.arm();
            vm.awaitLoops(memory, 2);
            vm.process().destroyForcibly();
            assertTrue(vm.process().waitFor(10, TimeUnit.SECONDS));
            assertThrows(LinuxException.class, () -> tracker.collect(new DirtyPages()));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"ASYNC", "SYNC"})
    void theGuestRunsOnWhenTrackingEnds(DirtyTracking.Choice choice) throws Exception {
        try (TestVm vm = new TestVm(directory, TestGuest.WRITER, "tcg", TestGuest.MEMORY_BYTES, SPIN);
                GuestMemory memory = GuestMemory.forReading(vm.ram())) {
            DirtyTracker tracker = attach(vm, choice);
            tracker.arm();
            tracker.close();
            vm.awaitLoops(memory, 5);
        }
    }

    @Test
    void secondTrackersForeignProcessesAndDeadOnesAreRefused() throws Exception {
        try (TestVm vm = new TestVm(directory, TestGuest.WRITER, "tcg", TestGuest.MEMORY_BYTES, SPIN);
                DirtyTracker first = attach(vm, DirtyTracking.Choice.AUTO)) {
            assertEquals(TrackingMode.ASYNC, first.mode());
            assertRefused("somebody tracks the memory", vm.pid(), vm.ram());
            assertRefused("share=on", ProcessHandle.current().pid(), vm.ram());
            vm.process().destroyForcibly();
            assertTrue(vm.process().waitFor(10, TimeUnit.SECONDS));
            assertRefused("has ended", vm.pid(), vm.ram());
        }
    }

    private static void assertRefused(String reason, long pid, SharedRamFile ram) {
        DirtyTrackingException failure = assertThrows(
                DirtyTrackingException.class,
                () -> DirtyTracking.attach(
                        pid, ram.path(), ram.bytes(), DirtyTracking.Choice.AUTO, ResetStrategy.ONE_RESETTING_SCAN));
        assertTrue(failure.toString().contains(reason), failure.toString());
    }

    private static DirtyTracker attach(TestVm vm, DirtyTracking.Choice choice) throws DirtyTrackingException {
        return DirtyTracking.attach(
                vm.pid(), vm.ram().path(), vm.ram().bytes(), choice, ResetStrategy.ONE_RESETTING_SCAN);
    }

    private static Map<String, String> signalMasks(long pid) throws IOException {
        Map<String, String> masks = new TreeMap<>();
        try (DirectoryStream<Path> tasks = Files.newDirectoryStream(Path.of("/proc/" + pid + "/task"))) {
            for (Path task : tasks) {
                for (String line : Files.readAllLines(task.resolve("status"))) {
                    if (line.startsWith("SigBlk")) {
                        masks.put(task.toString(), line);
                    }
                }
            }
        }
        return masks;
    }

    private static long userfaultfdsIn(long pid) throws IOException {
        long count = 0;
        try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(Path.of("/proc/" + pid + "/fd"))) {
            for (Path descriptor : descriptors) {
                if (Files.readSymbolicLink(descriptor).toString().contains("userfaultfd")) {
                    count++;
                }
            }
        }
        return count;
    }
}
