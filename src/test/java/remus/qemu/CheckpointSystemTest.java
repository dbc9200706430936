package remus.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import remus.checkpoint.StagedBytes;

/** Checkpoints and activations of a real QEMU, on each machine type. */
@Tag("system")
class CheckpointSystemTest {
    private Hosts hosts;

    @BeforeEach
    void open() throws Exception {
        hosts = new Hosts();
    }

    @AfterEach
    void close() {
        hosts.close();
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "VIRT") // the guest is made for x86-64
    void aGuestGoesOnAfterEachOfAHundredCheckpoints(MachineType machine) throws Exception {
        RunningGuest guest = hosts.boot(machine, "a");
        Hosts.Seen seen = new Hosts.Seen();
        StagedBytes state = hosts.push(new StagedBytes(DeviceState.MAX_BYTES));
        for (int checkpoint = 0; checkpoint < 100; checkpoint++) {
            guest.suspendAndSave();
            Hosts.pollUntil(guest, seen, "saved");
            state.clear();
            int length = Objects.requireNonNull(seen.state).readInto(state);
            assertEquals(length, state.size());
            guest.resume();
            Hosts.pollUntil(guest, seen, "resumed");
        }
        assertEquals(300, seen.all.size(), "nothing but suspended, saved, resumed");
        long counted = CountingGuest.lastPrinted(hosts.console("a"));
        Hosts.await("it counts on", () -> CountingGuest.lastPrinted(hosts.console("a")) > counted + 10);
    }

    private static void checkpoints(RunningGuest guest, int count) throws Exception {
        for (int checkpoint = 0; checkpoint < count; checkpoint++) {
            Hosts.Seen seen = new Hosts.Seen();
            guest.suspendAndSave();
            Hosts.pollUntil(guest, seen, "saved");
            guest.resume();
            Hosts.pollUntil(guest, seen, "resumed");
        }
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "VIRT") // the guest is made for x86-64
    void aGuestThatIsKeptStillStandsStillThroughCheckpointsAndActivation(MachineType machine) throws Exception {
        RunningGuest guest = hosts.boot(machine, "a");
        StandbyQemu standby = hosts.standby(machine, "b", Hosts.LIMITS);
        standby.prepare();
        Path primary = hosts.root.resolve("a").resolve("ram");
        Path backup = hosts.root.resolve("b").resolve("ram");
        guest.keepStill();
        checkpoints(guest, 1);
        int counter = CountingGuest.counter(primary);
        checkpoints(guest, 10);
        assertEquals(counter, CountingGuest.counter(primary));
        StagedBytes state = hosts.checkpoint(guest);
        hosts.copyRam("a", "b");
        guest.close();

        RunningGuest activated = hosts.push(standby.activate(state, true));
        assertTrue(activated.staysStill());
        checkpoints(activated, 10);
        assertEquals(counter, CountingGuest.counter(backup));
        activated.letGo();
        Hosts.await("it counts on", () -> CountingGuest.counter(backup) > counter + 10);
        checkpoints(activated, 1);
        int later = CountingGuest.counter(backup);
        Hosts.await("it counts on after a checkpoint", () -> CountingGuest.counter(backup) > later + 10);
    }

    /** A cold standby's QEMU is started over the memory of a checkpoint. */
    @ParameterizedTest
    @EnumSource
    void aStandbyThatStartsLeavesItsMemoryAsItIs(MachineType machine) throws Exception {
        VmDefinition vm = hosts.counting(machine, "b");
        QemuPaths paths = hosts.paths("b");
        byte[] memory = new byte[(int) vm.memory().bytes()];
        new Random(1).nextBytes(memory);
        Files.write(paths.ramFile(), memory);
        StandbyQemu standby = hosts.push(StandbyQemu.start(hosts.installation, vm, paths, Hosts.LIMITS, Hosts.TIME));
        standby.prepare();
        standby.close();
        assertEquals(-1, Arrays.mismatch(memory, Files.readAllBytes(paths.ramFile())), "the first byte that differs");
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "VIRT") // the guest is made for x86-64
    void aStandbyGoesOnExactlyWhereTheCheckpointWasTaken(MachineType machine) throws Exception {
        RunningGuest guest = hosts.boot(machine, "a");
        StandbyQemu standby = hosts.standby(machine, "b", Hosts.LIMITS);
        standby.prepare();
        StagedBytes state = hosts.checkpoint(guest);
        hosts.copyRam("a", "b");
        Path ram = hosts.root.resolve("b").resolve("ram");
        int counter = CountingGuest.counter(ram);
        guest.close();

        RunningGuest activated = hosts.push(standby.activate(state));
        Hosts.await("it counts on", () -> CountingGuest.lastPrinted(hosts.console("b")) > counter + 10);
        long first = CountingGuest.firstPrinted(hosts.console("b"));
        assertTrue(first - counter <= 2, "first printed " + first + " after a checkpoint at " + counter);

        assertEquals(List.of(), activated.process().errorTail(), "QEMU complains of nothing");

        // The activated guest is a guest like any other: it is checkpointed, and survives a reboot.
        Hosts.Seen after = new Hosts.Seen();
        activated.suspendAndSave();
        Hosts.pollUntil(activated, after, "saved");
        activated.resume();
        Hosts.pollUntil(activated, after, "resumed");
        CountingGuest.command(ram, CountingGuest.RESET);
        Hosts.pollUntil(activated, after, "reset byGuest=true");
        Hosts.await("it starts again", () -> CountingGuest.hasPrinted(hosts.console("b"), 1));
    }
}
