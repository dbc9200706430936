package remus.doctor;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import remus.base.ByteSize;
import remus.base.CloseStack;
import remus.base.RemusException;
import remus.host.GuestRoom;
import remus.memory.DirtyPages;
import remus.memory.DirtyTracker;
import remus.memory.DirtyTracking;
import remus.memory.ResetStrategy;
import remus.memory.SharedRamFile;
import remus.qemu.Accelerator;
import remus.qemu.Architecture;
import remus.qemu.MachineType;
import remus.qemu.QemuArguments;
import remus.qemu.QemuInstallation;
import remus.qemu.QemuPaths;
import remus.qemu.QemuProcess;
import remus.qemu.VmDefinition;

/**
 * Starts a QEMU as a backup starts its standbys, attaches dirty tracking to it as a primary does to its VM, scans its memory
 * once, and removes it all: what protection needs of this host, but a guest that runs.
 */
final class TrackingTrial {
    private static final ByteSize MEMORY = ByteSize.ofMebibytes(32);
    private static final Duration START_LIMIT = Duration.ofSeconds(10);
    private static final Duration TRIAL_LIMIT = START_LIMIT.plus(QemuProcess.KILL_LIMIT);

    private TrackingTrial() {}

    /** Also when the program is interrupted meanwhile, nothing stays behind: its end waits for that of the trial. */
    static KernelJudgement.Trial run(QemuInstallation installation, Accelerator accelerator)
            throws InterruptedException {
        CountDownLatch over = new CountDownLatch(1);
        Thread waiting = new Thread(() -> {
            try {
                boolean _ = over.await(TRIAL_LIMIT.toNanos(), TimeUnit.NANOSECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        Runtime.getRuntime().addShutdownHook(waiting);
        try {
            return attempt(installation, accelerator);
        } finally {
            over.countDown();
            forget(waiting);
        }
    }

    private static void forget(Thread hook) {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The program is ending; the hook has been started and is over.
            return;
        }
    }

    private static KernelJudgement.Trial attempt(QemuInstallation installation, Accelerator accelerator)
            throws InterruptedException {
        @Nullable
        MachineType machine = Stream.of(MachineType.values())
                .filter(type -> type.architecture() == Architecture.X86_64)
                .filter(installation.features()::offers)
                .findFirst()
                .orElse(null);
        if (machine == null) {
            return new KernelJudgement.Trial(null, new Problem("not tried, for QEMU has no machine type for it", null));
        }
        try (CloseStack owned = new CloseStack()) {
            Path directory = Files.createTempDirectory(GuestRoom.TMPFS, "remus-doctor-");
            QemuPaths paths = new QemuPaths(directory, directory);
            owned.push(() -> {
                Files.deleteIfExists(paths.logFile());
                paths.remove();
            });
            SharedRamFile.create(paths.ramFile(), MEMORY.bytes());
            QemuProcess qemu = owned.push(QemuProcess.start(
                    installation,
                    machine,
                    QemuArguments.forStandby(definition(machine, accelerator), paths, installation.features()),
                    paths,
                    START_LIMIT));
            DirtyTracker tracker = owned.push(DirtyTracking.attach(
                    qemu.identity().pid(),
                    paths.ramFile(),
                    MEMORY.bytes(),
                    DirtyTracking.Choice.AUTO,
                    ResetStrategy.FIND_THEN_RESET));
            tracker.arm();
            tracker.collect(new DirtyPages());
            return new KernelJudgement.Trial(tracker.mode(), null);
        } catch (RemusException e) {
            return new KernelJudgement.Trial(null, Problem.of(e));
        } catch (IOException e) {
            return new KernelJudgement.Trial(null, Problem.of(e.toString()));
        }
    }

    private static VmDefinition definition(MachineType machine, Accelerator accelerator) {
        return new VmDefinition(
                "doctor",
                machine,
                1,
                MEMORY,
                accelerator,
                accelerator == Accelerator.KVM ? "host" : "max",
                null,
                List.of(),
                List.of(),
                null);
    }
}
