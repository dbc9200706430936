package remus.bench;

import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import remus.base.RemusException;
import remus.base.Time;
import remus.linux.BootTime;
import remus.qemu.QemuInstallation;

/**
 * Measures for how long a checkpoint pauses the guest, against the floor that QEMU itself sets, in one run on the same
 * VM: for each number of written pages a guest is booted that writes so many in each epoch. Leaves nothing behind, also
 * when interrupted.
 */
public final class PauseBench {
    private static final String NAME = "pause";

    private final PauseSettings settings;
    private final Consumer<String> progress;
    private final Time time = new BootTime();

    /** @param progress is told what goes on, for people */
    public PauseBench(PauseSettings settings, Consumer<String> progress) {
        this.settings = settings;
        this.progress = progress;
    }

    /** Runs all cases, one after the other. */
    public BenchReport<PauseCase> run() throws BenchException {
        return StopSignal.during("the pause could not be measured", this::measure);
    }

    private BenchReport<PauseCase> measure(StopSignal stop) throws RemusException, InterruptedException {
        QemuInstallation installation = QemuInstallation.probe();
        BenchMachine machine = BenchMachine.read(installation, settings.accelerator());
        progress.accept("guest image");
        GuestImage image = GuestImage.make();
        List<PauseCase> cases = new ArrayList<>();
        for (int pages : settings.dirtyPages()) {
            cases.add(measure(installation, image, pages, stop));
        }
        return new BenchReport<>(
                NAME, LocalDate.now(java.time.ZoneId.systemDefault()).toString(), machine, cases);
    }

    private PauseCase measure(QemuInstallation installation, GuestImage image, int pages, StopSignal stop)
            throws RemusException, InterruptedException {
        String what = "%s, %d pages: ".formatted(settings.machine().key(), pages);
        progress.accept(what + "booting");
        BenchVm.Shape shape = new BenchVm.Shape(settings.machine(), settings.memory(), settings.accelerator());
        try (BenchVm vm = BenchVm.boot(installation, image, shape, new GuestLoad(pages).keys(), time);
                PauseMeasurement measurement = new PauseMeasurement(vm, time, stop)) {
            vm.awaitReady(measurement);
            progress.accept(what + "measuring for " + settings.perCase().toSeconds() + " s");
            return measurement.run(settings.perCase()).summary(vm.definition(), pages);
        }
    }
}
