package remus.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import remus.base.ErrorCategory;
import remus.base.Time;
import remus.checkpoint.StagedBytes;
import remus.linux.ProcessIdentity;

/** What is seen of a real QEMU that ends, hangs, refuses or reports an event. */
@Tag("system")
class QemuFailureSystemTest {
    private static final Duration SHORT = Duration.ofMillis(300);
    /** Generous, for a busy machine, and yet far below {@link Hosts#LIMIT}. */
    private static final Duration BOUNDED = Duration.ofSeconds(5);

    private static final QemuLimits IMPATIENT = new QemuLimits(Hosts.LIMIT, SHORT, SHORT);

    private Hosts hosts;

    @BeforeEach
    void open() throws Exception {
        hosts = new Hosts();
    }

    @AfterEach
    void close() {
        hosts.close();
    }

    @Test
    void anUnknownMachineTypeIsRefusedBeforeAnythingStarts() throws Exception {
        QemuFeatures features = hosts.installation.features();
        QemuInstallation without = new QemuInstallation(
                hosts.installation.binaries(),
                hosts.installation.setsid(),
                new QemuFeatures(features.version(), Set.of("pc-q35-6.2"), features.flashFirmware()));
        QemuPaths paths = hosts.paths("a");
        QemuException refused = assertThrows(
                QemuException.class,
                () -> RunningGuest.start(
                        without, hosts.counting(MachineType.Q35, "a"), paths, Hosts.LIMITS, Hosts.TIME));
        assertTrue(String.valueOf(refused.getMessage()).contains("has no machine type pc-q35-7.2"));
        assertFalse(Files.exists(paths.logFile()));
    }

    @Test
    void aQemuThatDoesNotStartSaysWhy() throws Exception {
        QemuPaths paths = hosts.paths("a");
        QemuException refused = assertThrows(
                QemuException.class,
                () -> QemuProcess.start(
                        hosts.installation,
                        MachineType.Q35,
                        List.of("-machine", "pc-q35-99.9", "-msg", "timestamp=on"),
                        paths,
                        Hosts.LIMIT));
        String message = String.valueOf(refused.getMessage());
        assertTrue(
                message.startsWith("QEMU did not start: QEMU ended with exit code 1: unsupported machine type"),
                message);
        assertEquals(ErrorCategory.FATAL, refused.category());
    }

    @Test
    void aQemuThatNeverAnswersIsGivenUpAndKilled() throws Exception {
        QemuPaths paths = hosts.paths("a");
        // No QMP socket at all.
        QemuException refused = assertThrows(
                QemuException.class,
                () -> QemuProcess.start(
                        hosts.installation,
                        MachineType.Q35,
                        List.of("-machine", "none", "-display", "none", "-nodefaults", "-pidfile", hosts.root + "/pid"),
                        paths,
                        Duration.ofMillis(500)));
        assertTrue(String.valueOf(refused.getMessage()).contains("did not answer on QMP within 500ms"));
        long pid = Long.parseLong(Files.readString(hosts.root.resolve("pid")).strip());
        assertTrue(ProcessIdentity.of(pid).isEmpty());
    }

    @Test
    void qemuHasASessionOfItsOwnAndKeepsItsProcessId() throws Exception {
        RunningGuest guest = hosts.boot(MachineType.Q35, "a");
        long pid = guest.process().identity().pid();
        assertEquals(
                hosts.installation.binary(Architecture.X86_64).toRealPath(),
                Path.of("/proc/" + pid + "/exe").toRealPath());
        String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
        assertEquals(Long.toString(pid), fields[2], "process group");
        assertEquals(Long.toString(pid), fields[3], "session");
        assertEquals("0", fields[4], "terminal");
    }

    @Test
    void aHangingQemuIsNoticedByTheReplyLimit() throws Exception {
        RunningGuest guest = hosts.boot(MachineType.Q35, "a", IMPATIENT, Hosts.TIME);
        Hosts.signal("STOP", guest.process());
        Hosts.Seen seen = new Hosts.Seen();
        long begin = System.nanoTime();
        guest.suspendAndSave();
        Hosts.pollUntil(guest, seen, "failed");
        Duration took = Duration.ofNanos(System.nanoTime() - begin);
        assertTrue(took.compareTo(SHORT) >= 0 && took.compareTo(BOUNDED) < 0, "took " + took);
        assertTrue(seen.all.getFirst().contains("does not answer: phase=SUSPENDING, reply limit 300ms"));
        guest.poll(seen);
        guest.checkDeadline(Long.MAX_VALUE, seen);
        assertEquals(1, seen.all.size(), "said once");
    }

    @Test
    void ourOwnAbsenceIsNotTakenForQemusSilence() throws Exception {
        long[] now = {1_000_000_000L};
        Time time = new Time() {
            @Override
            public long nanos() {
                return now[0];
            }

            @Override
            public long wallMillis() {
                return 0;
            }
        };
        RunningGuest guest = hosts.boot(MachineType.Q35, "a", IMPATIENT, time);
        Hosts.signal("STOP", guest.process());
        Hosts.Seen seen = new Hosts.Seen();
        guest.suspendAndSave();
        now[0] += Duration.ofHours(1).toNanos();
        guest.checkDeadline(now[0], seen);
        now[0] += SHORT.toNanos() / 2;
        guest.checkDeadline(now[0], seen);
        assertEquals(List.of(), seen.all);
        now[0] += SHORT.toNanos() / 2;
        guest.checkDeadline(now[0], seen);
        assertEquals(1, seen.all.size());
    }

    @Test
    void aKilledQemuIsNoticedAtOnce() throws Exception {
        RunningGuest guest = hosts.boot(MachineType.Q35, "a");
        CompletableFuture<QemuExit> exit = new CompletableFuture<>();
        guest.process().onExit(exit::complete);
        Hosts.Seen seen = new Hosts.Seen();
        long begin = System.nanoTime();
        Hosts.signal("KILL", guest.process());
        Hosts.pollUntil(guest, seen, "failed");
        long millis = (System.nanoTime() - begin) / 1_000_000;
        assertEquals(137, exit.get(5, TimeUnit.SECONDS).exitCode());
        assertTrue(millis < BOUNDED.toMillis(), "took " + millis + "ms, where the reply limit is 20 s");
        assertTrue(seen.all.getFirst().startsWith("failed QEMU was killed by SIGKILL"), seen.all.getFirst());
        // What the engine still asks for, not having heard of it, comes to nothing.
        guest.suspendAndSave();
        guest.resume();
        guest.poll(seen);
        assertEquals(1, seen.all.size());
    }

    @ParameterizedTest
    @EnumSource(names = {"Q35", "PC"})
    void aPowerOffIsReportedAndTheGuestCanStillBeSaved(MachineType machine) throws Exception {
        RunningGuest guest = hosts.boot(machine, "a");
        Hosts.Seen seen = new Hosts.Seen();
        CountingGuest.command(hosts.root.resolve("a").resolve("ram"), CountingGuest.POWER_OFF);
        Hosts.pollUntil(guest, seen, "shutdown guest-shutdown byGuest=true");
        assertTrue(guest.process().isAlive());
        guest.suspendAndSave();
        Hosts.pollUntil(guest, seen, "saved");
        guest.resume();
        guest.checkDeadline(Hosts.TIME.nanos(), seen);
        assertEquals(3, seen.all.size(), seen.all.toString());
        guest.quit(Hosts.LIMIT);
        assertEquals(0, guest.process().awaitExit(Hosts.LIMIT).orElseThrow().exitCode());
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "VIRT") // the guest is made for x86-64
    void resetsAndPanicsAreReportedAndTheGuestGoesOn(MachineType machine) throws Exception {
        RunningGuest guest = hosts.boot(machine, "a");
        Path ram = hosts.root.resolve("a").resolve("ram");
        Hosts.Seen seen = new Hosts.Seen();
        CountingGuest.command(ram, CountingGuest.PANIC);
        Hosts.pollUntil(guest, seen, "panicked");
        int counter = CountingGuest.counter(ram);
        Hosts.await("it goes on", () -> CountingGuest.counter(ram) > counter + 10);
        CountingGuest.command(ram, CountingGuest.RESET);
        Hosts.pollUntil(guest, seen, "reset byGuest=true");
        assertEquals(2, seen.all.size(), seen.all.toString());
    }

    @Test
    void aStandbyThatDiesWhileWaitingIsReported() throws Exception {
        StandbyQemu standby = hosts.standby(MachineType.Q35, "b", Hosts.LIMITS);
        standby.prepare();
        CompletableFuture<QemuExit> exit = new CompletableFuture<>();
        standby.onExit(exit::complete);
        Hosts.signal("KILL", standby.process());
        assertEquals(137, exit.get(5, TimeUnit.SECONDS).exitCode());
        StagedBytes state = hosts.checkpoint(hosts.boot(MachineType.Q35, "a"));
        ActivationException failed = assertThrows(ActivationException.class, () -> standby.activate(state));
        assertTrue(String.valueOf(failed.getMessage()).contains("killed by SIGKILL"), failed.getMessage());
        assertEquals(ErrorCategory.RETRY, failed.category());
    }

    @Test
    void aForeignDeviceStateEndsTheStandbyWithItsOwnWords() throws Exception {
        StandbyQemu standby = hosts.standby(MachineType.Q35, "b", Hosts.LIMITS);
        standby.prepare();
        StagedBytes foreign = hosts.checkpoint(hosts.boot(MachineType.PC, "a"));
        ActivationException failed = assertThrows(ActivationException.class, () -> standby.activate(foreign));
        assertTrue(String.valueOf(failed.getMessage()).contains("load of migration failed"), failed.getMessage());
        assertFalse(standby.process().isAlive());
    }

    @Test
    void aStateThatIsNoneLeavesTheStandbyAsItWas() throws Exception {
        StandbyQemu standby = hosts.standby(MachineType.Q35, "b", Hosts.LIMITS);
        standby.prepare();
        StagedBytes state = hosts.checkpoint(hosts.boot(MachineType.Q35, "a"));
        ActivationException failed = assertThrows(
                ActivationException.class, () -> standby.activate(state.segment(), DeviceState.HEADER_BYTES));
        assertEquals(ErrorCategory.FATAL, failed.category());
        hosts.copyRam("a", "b");
        hosts.push(standby.activate(state));
        Hosts.await("it counts on", () -> CountingGuest.lastPrinted(hosts.console("b")) > 10);
    }

    @Test
    void aHangingStandbyIsGivenUpAtTheLoadLimit() throws Exception {
        StandbyQemu standby = hosts.standby(MachineType.Q35, "b", IMPATIENT);
        standby.prepare();
        StagedBytes state = hosts.checkpoint(hosts.boot(MachineType.Q35, "a"));
        Hosts.signal("STOP", standby.process());
        long begin = System.nanoTime();
        assertThrows(ActivationException.class, () -> standby.activate(state));
        Duration took = Duration.ofNanos(System.nanoTime() - begin);
        assertTrue(took.compareTo(SHORT) >= 0 && took.compareTo(BOUNDED) < 0, "took " + took);
        assertFalse(standby.process().isAlive());
    }

    @Test
    void aListenerMayCloseTheGuestInTheMiddleOfItsCall() throws Exception {
        RunningGuest guest = hosts.boot(MachineType.Q35, "a");
        Hosts.Seen seen = new Hosts.Seen() {
            @Override
            public void suspended() {
                super.suspended();
                guest.close();
            }
        };
        guest.suspendAndSave();
        Hosts.pollUntil(guest, seen, "suspended");
        guest.checkDeadline(Hosts.TIME.nanos(), seen);
        assertEquals(List.of("suspended"), seen.all);
    }
}
