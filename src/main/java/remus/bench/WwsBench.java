package remus.bench;

import java.time.LocalDate;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import remus.base.RemusException;
import remus.base.Time;
import remus.linux.BootTime;
import remus.linux.Poller;
import remus.memory.DirtyPages;
import remus.memory.DirtyTracker;
import remus.memory.DirtyTracking;
import remus.memory.GuestMemory;
import remus.memory.ResetStrategy;
import remus.qemu.Accelerator;
import remus.qemu.MachineType;
import remus.qemu.PauseCommands;
import remus.qemu.QemuInstallation;

/**
 * Measures the writable working set of guests of the bench's own: which pages they write, over times of several lengths
 * (Clark et al., NSDI 2005, section 4). With the product's own tracking of writes, which makes the first write of a page in
 * each interval about a microsecond slower. Leaves nothing behind, also when interrupted.
 */
public final class WwsBench {
    private static final String NAME = "wws";

    private final WwsSettings settings;
    private final Consumer<String> progress;
    private final Time time = new BootTime();

    /** @param progress is told what goes on, for people */
    public WwsBench(WwsSettings settings, Consumer<String> progress) {
        this.settings = settings;
        this.progress = progress;
    }

    /** Watches all guests, one after the other. */
    public BenchReport<WwsCase> run() throws BenchException {
        return StopSignal.during("the writable working set could not be measured", this::measure);
    }

    private BenchReport<WwsCase> measure(StopSignal stop) throws RemusException, InterruptedException {
        QemuInstallation installation = QemuInstallation.probe();
        BenchMachine machine = BenchMachine.read(installation, settings.accelerator());
        progress.accept("guest image");
        GuestImage image = GuestImage.make();
        List<WwsCase> cases = new ArrayList<>();
        for (GuestLoad workload : settings.workloads()) {
            progress.accept(workload + ": booting");
            BenchVm.Shape shape = new BenchVm.Shape(MachineType.Q35, settings.memory(), settings.accelerator());
            GuestWatch watch = new GuestWatch(stop);
            try (BenchVm vm = BenchVm.boot(installation, image, shape, workload.keys(), time)) {
                vm.awaitReady(watch);
                progress.accept(
                        workload + ": watching for " + settings.duration().toSeconds() + " s");
                cases.add(watch(vm, watch).summary(workload, settings.memory().bytes()));
            }
        }
        return new BenchReport<>(NAME, LocalDate.now(ZoneId.systemDefault()).toString(), machine, cases);
    }

    private WorkingSet watch(BenchVm vm, GuestWatch watch) throws RemusException {
        try (DirtyTracker tracker = DirtyTracking.attach(
                        vm.guest().process().identity().pid(),
                        vm.ram().path(),
                        vm.ram().bytes(),
                        DirtyTracking.Choice.AUTO,
                        vm.definition().accelerator() == Accelerator.KVM
                                ? ResetStrategy.FIND_THEN_RESET
                                : ResetStrategy.ONE_RESETTING_SCAN);
                Poller poller = new Poller(PauseCommands.SLOTS)) {
            tracker.arm();
            long begin = time.nanos();
            long end = begin + settings.duration().toNanos();
            WorkingSet workingSet = new WorkingSet(
                    vm.ram().bytes() / GuestMemory.PAGE_BYTES, settings.interval(), WwsSettings.WINDOWS, begin);
            DirtyPages pages = new DirtyPages();
            for (long due = begin + settings.interval().toNanos(); due <= end; ) {
                awaitTime(due, vm, watch, poller);
                pages.clear();
                tracker.collect(pages);
                long now = time.nanos();
                workingSet.add(now, pages);
                // What came too late moves those after it: intervals that catch up would be no intervals.
                due = Math.max(due, now - settings.interval().toNanos() / 2)
                        + settings.interval().toNanos();
            }
            return workingSet;
        }
    }

    private void awaitTime(long due, BenchVm vm, GuestWatch watch, Poller poller) throws RemusException {
        for (long wait = due - time.nanos(); wait > 0; wait = due - time.nanos()) {
            vm.guest().commands().watch(poller, 0);
            poller.await(wait);
            vm.guest().poll(watch);
            watch.check();
        }
    }
}
