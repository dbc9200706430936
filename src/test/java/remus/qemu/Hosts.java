package remus.qemu;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import remus.base.ByteSize;
import remus.base.CloseStack;
import remus.base.Time;
import remus.checkpoint.StagedBytes;
import remus.linux.BootTime;
import remus.linux.LinuxException;
import remus.linux.Poller;

/** Places for QEMUs on tmpfs, guests in them, and what a test needs to wait for them; cleans up whatever happens. */
final class Hosts implements AutoCloseable {
    static final Duration LIMIT = Duration.ofSeconds(20);
    static final QemuLimits LIMITS = new QemuLimits(LIMIT, LIMIT, LIMIT);
    static final Time TIME = new BootTime();

    final QemuInstallation installation;
    final Path root;
    private final CloseStack opened = new CloseStack();

    Hosts() throws Exception {
        installation = QemuInstallation.probe();
        root = Files.createTempDirectory(Path.of("/dev/shm"), "remus-test");
        opened.push(() -> deleteTree(root));
    }

    QemuPaths paths(String host) throws IOException {
        QemuPaths paths = new QemuPaths(root.resolve(host), root.resolve(host + "-log"));
        paths.create();
        return paths;
    }

    Path console(String host) {
        return root.resolve(host + "-console");
    }

    VmDefinition counting(MachineType machine, String host) throws IOException {
        return new VmDefinition(
                "counting",
                machine,
                1,
                ByteSize.ofMebibytes(64),
                Accelerator.TCG,
                "max",
                new VmDefinition.Boot(CountingGuest.writeKernel(root), null, ""),
                List.of(),
                List.of(new VmDefinition.Nic("52:54:00:12:34:56", "br0")),
                console(host));
    }

    /** A guest that counts already. */
    RunningGuest boot(MachineType machine, String host) throws Exception {
        return boot(machine, host, LIMITS, TIME);
    }

    RunningGuest boot(MachineType machine, String host, QemuLimits limits, Time time) throws Exception {
        QemuPaths paths = paths(host);
        RunningGuest guest =
                opened.push(RunningGuest.start(installation, counting(machine, host), paths, limits, time));
        await("the guest counts", () -> CountingGuest.lastPrinted(console(host)) > 10);
        return guest;
    }

    StandbyQemu standby(MachineType machine, String host, QemuLimits limits) throws Exception {
        return opened.push(StandbyQemu.start(installation, counting(machine, host), paths(host), limits, TIME));
    }

    <T extends AutoCloseable> T push(T resource) {
        return opened.push(resource);
    }

    /** Polls the guest until {@code seen} has what is asked for. */
    static void pollUntil(RunningGuest guest, Seen seen, String what) throws LinuxException {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        try (Poller poller = new Poller(PauseCommands.SLOTS)) {
            while (!seen.take(what)) {
                if (System.nanoTime() > deadline) {
                    throw new AssertionError("not seen: " + what + ", but " + seen.all);
                }
                guest.commands().watch(poller, 0);
                poller.await(5_000_000);
                guest.poll(seen);
                guest.checkDeadline(TIME.nanos(), seen);
            }
        }
    }

    /** The device state of one checkpoint of the guest, which then stays suspended. */
    StagedBytes checkpoint(RunningGuest guest) throws Exception {
        Seen seen = new Seen();
        guest.suspendAndSave();
        pollUntil(guest, seen, "saved");
        StagedBytes state = opened.push(new StagedBytes(DeviceState.MAX_BYTES));
        Objects.requireNonNull(seen.state).readInto(state);
        return state;
    }

    /** Copies the RAM in place, for the standby has mapped its file. */
    void copyRam(String from, String to) throws IOException {
        try (FileChannel source = FileChannel.open(root.resolve(from).resolve("ram"));
                FileChannel target = FileChannel.open(root.resolve(to).resolve("ram"), StandardOpenOption.WRITE)) {
            for (long at = 0; at < source.size(); ) {
                at += source.transferTo(at, source.size() - at, target);
            }
        }
    }

    /** Sends {@code signal} to a QEMU that a test started. */
    static void signal(String signal, QemuProcess process) throws Exception {
        Process kill = new ProcessBuilder(
                        "kill", "-" + signal, Long.toString(process.identity().pid()))
                .start();
        if (kill.waitFor() != 0) {
            throw new AssertionError("kill -" + signal + " failed");
        }
    }

    static void await(String what, Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (!condition.call()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("did not come true in time: " + what);
            }
            Thread.sleep(2);
        }
    }

    /** Everything that a guest reported, in order. */
    static class Seen implements GuestListener {
        final List<String> all = new ArrayList<>();
        private final Deque<String> fresh = new ArrayDeque<>();

        @Nullable
        DeviceState state;

        boolean take(String what) {
            while (!fresh.isEmpty()) {
                if (fresh.removeFirst().startsWith(what)) {
                    return true;
                }
            }
            return false;
        }

        private void note(String what) {
            all.add(what);
            fresh.addLast(what);
        }

        @Override
        public void suspended() {
            note("suspended");
        }

        @Override
        public void saved(DeviceState saved) {
            state = saved;
            note("saved");
        }

        @Override
        public void resumed() {
            note("resumed");
        }

        @Override
        public void guestShutdown(String reason, boolean byGuest) {
            note("shutdown " + reason + " byGuest=" + byGuest);
        }

        @Override
        public void guestReset(boolean byGuest) {
            note("reset byGuest=" + byGuest);
        }

        @Override
        public void guestPanicked() {
            note("panicked");
        }

        @Override
        public void failed(QmpException cause) {
            note("failed " + cause.getMessage());
        }
    }

    private static void deleteTree(Path root) throws IOException {
        try (var files = Files.walk(root)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        }
    }

    @Override
    public void close() {
        opened.close();
    }
}
