package remus.qemu;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import remus.base.ByteSize;
import remus.checkpoint.StagedBytes;
import remus.linux.Poller;

/** An unmodified Linux that drives its devices, checkpointed at full speed and then activated on a standby. */
@Tag("system")
class LinuxGuestSystemTest {
    private static final int CHECKPOINTS = 300;
    private static final int WARM_UP = 100;
    private static final int ACTIVATIONS = 7;

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
    void linuxGoesOnAfterCheckpointsAndOnTheStandby(MachineType machine) throws Exception {
        RunningGuest guest = hosts.push(RunningGuest.start(
                hosts.installation, linux(machine, "a"), hosts.paths("a"), Hosts.LIMITS, Hosts.TIME));
        Hosts.await("Linux counts", () -> LinuxGuest.lastCount(hosts.console("a")) > 50);
        assertTrue(Files.readString(hosts.console("a")).contains("network up"));
        StagedBytes state = hosts.push(new StagedBytes(DeviceState.MAX_BYTES));
        Durations durations = new Durations();
        for (int i = 0; i < CHECKPOINTS; i++) {
            durations.checkpoint(guest, state, i - WARM_UP);
        }
        int counted = LinuxGuest.lastCount(hosts.console("a"));
        Hosts.await("Linux counts on", () -> LinuxGuest.lastCount(hosts.console("a")) > counted + 20);

        StagedBytes last = hosts.checkpoint(guest);
        int atCheckpoint = LinuxGuest.lastCount(hosts.console("a"));
        guest.close();
        long[] activations = new long[ACTIVATIONS];
        for (int i = 0; i < ACTIVATIONS; i++) {
            Files.deleteIfExists(hosts.console("b"));
            activations[i] = activate(machine, last, atCheckpoint);
        }
        System.out.println(machine.key() + ": " + durations + " state=" + last.size() + "B activations us="
                + Arrays.toString(activations));
    }

    /** Lets the checkpoint run on a new standby and returns how long its activation took, in microseconds. */
    private long activate(MachineType machine, StagedBytes state, int countAtCheckpoint) throws Exception {
        try (StandbyQemu standby = StandbyQemu.start(
                hosts.installation, linux(machine, "b"), hosts.paths("b"), Hosts.LIMITS, Hosts.TIME)) {
            standby.prepare();
            hosts.copyRam("a", "b");
            long begin = System.nanoTime();
            try (RunningGuest activated = standby.activate(state)) {
                long micros = (System.nanoTime() - begin) / 1_000;
                Hosts.await(
                        "Linux counts on the standby",
                        () -> LinuxGuest.lastCount(hosts.console("b")) > countAtCheckpoint + 20);
                assertFalse(Files.readString(hosts.console("b")).contains("network up"), "it has not booted anew");
                // The new host's guest is checkpointed like any other.
                hosts.checkpoint(activated);
                return micros;
            }
        }
    }

    private VmDefinition linux(MachineType machine, String host) throws Exception {
        return new VmDefinition(
                "linux",
                machine,
                1,
                ByteSize.ofMebibytes(128),
                Accelerator.TCG,
                "max",
                LinuxGuest.boot(machine),
                List.of(),
                List.of(new VmDefinition.Nic("52:54:00:12:34:56", "br0")),
                hosts.console(host));
    }

    /** What the steps of a checkpoint took; shown, not asserted. */
    private static final class Durations implements GuestListener {
        private static final long EPOCH_NANOS = 10_000_000;

        private final long[] stop = new long[CHECKPOINTS - WARM_UP];
        private final long[] save = new long[CHECKPOINTS - WARM_UP];
        private final long[] read = new long[CHECKPOINTS - WARM_UP];
        private final long[] cont = new long[CHECKPOINTS - WARM_UP];
        private long suspendedAt;
        private long savedAt;
        private long resumedAt;
        private @Nullable DeviceState saved;

        void checkpoint(RunningGuest guest, StagedBytes state, int index) throws Exception {
            try (Poller poller = new Poller(PauseCommands.SLOTS)) {
                suspendedAt = savedAt = resumedAt = 0;
                long begin = System.nanoTime();
                guest.suspendAndSave();
                while (savedAt == 0) {
                    step(poller, guest, 1_000_000_000);
                }
                state.clear();
                Objects.requireNonNull(saved).readInto(state);
                long resuming = System.nanoTime();
                guest.resume();
                while (resumedAt == 0) {
                    step(poller, guest, 1_000_000_000);
                }
                if (index >= 0) {
                    stop[index] = suspendedAt - begin;
                    save[index] = savedAt - suspendedAt;
                    read[index] = resuming - savedAt;
                    cont[index] = resumedAt - resuming;
                }
                while (System.nanoTime() - resumedAt < EPOCH_NANOS) {
                    step(poller, guest, EPOCH_NANOS);
                }
            }
        }

        private void step(Poller poller, RunningGuest guest, long nanos) throws Exception {
            guest.commands().watch(poller, 0);
            poller.await(nanos);
            guest.poll(this);
        }

        @Override
        public void suspended() {
            suspendedAt = System.nanoTime();
        }

        @Override
        public void saved(DeviceState state) {
            saved = state;
            savedAt = System.nanoTime();
        }

        @Override
        public void resumed() {
            resumedAt = System.nanoTime();
        }

        @Override
        public void guestShutdown(String reason, boolean byGuest) {
            throw new AssertionError("shutdown " + reason);
        }

        @Override
        public void guestReset(boolean byGuest) {
            throw new AssertionError("reset");
        }

        @Override
        public void guestPanicked() {
            throw new AssertionError("panic");
        }

        @Override
        public void failed(QmpException cause) {
            throw new AssertionError(cause);
        }

        @Override
        public String toString() {
            return "median stop=" + median(stop) + " save=" + median(save) + " read=" + median(read) + " cont="
                    + median(cont) + "us";
        }

        private static long median(long[] nanos) {
            long[] sorted = nanos.clone();
            Arrays.sort(sorted);
            return sorted[sorted.length / 2] / 1_000;
        }
    }
}
