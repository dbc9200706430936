package remus.cli;

import java.io.IOException;
import java.time.Duration;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import remus.base.RemusException;
import remus.bench.BenchException;
import remus.bench.BenchMachine;
import remus.bench.BenchReport;
import remus.bench.GuestImage;
import remus.bench.OverheadCase;
import remus.bench.OverheadSettings;
import remus.bench.OverheadTally;
import remus.bench.OverheadWorkload;
import remus.bench.SessionFigures;
import remus.bench.StopSignal;
import remus.qemu.QemuInstallation;

/**
 * Measures how much longer a guest's work takes while it is protected, at several rates of checkpoints, in turns with the same
 * work unprotected, on the same VM and the same two hosts.
 *
 * <p>Confined to the thread that calls {@link #run}; what was made is gone when that ends, however it ends.
 */
final class OverheadBench {
    private static final String NAME = "overhead";

    /** Of the round before all others, which does not count. */
    private static final Duration WARM_UP = Duration.ofSeconds(2);

    /** A rate of no checkpoints. */
    private static final int UNPROTECTED = 0;

    private final OverheadSettings settings;
    private final Consumer<String> progress;
    private final StopSignal stop;
    private final OverheadTally tally;

    private OverheadBench(OverheadSettings settings, Consumer<String> progress, StopSignal stop) {
        this.settings = settings;
        this.progress = progress;
        this.stop = stop;
        tally = new OverheadTally(settings);
    }

    /** @param progress is told what goes on, for people */
    static BenchReport<OverheadCase> run(OverheadSettings settings, Consumer<String> progress) throws BenchException {
        return StopSignal.during(
                "the overhead could not be measured", stop -> new OverheadBench(settings, progress, stop).measureAll());
    }

    /** A guest that does its work. */
    private record Running(OverheadWorkload workload, WorkClock clock, BenchProtection protection) {}

    private BenchReport<OverheadCase> measureAll() throws RemusException, InterruptedException {
        QemuInstallation installation = QemuInstallation.probe();
        BenchMachine machine = BenchMachine.read(installation, settings.accelerator());
        try (BenchHosts hosts = new BenchHosts(NAME)) {
            progress.accept("hosts");
            hosts.start();
            for (OverheadWorkload workload : settings.workloads()) {
                measure(hosts, workload);
            }
        }
        return new BenchReport<>(NAME, LocalDate.now(ZoneId.systemDefault()).toString(), machine, tally.cases());
    }

    private void measure(BenchHosts hosts, OverheadWorkload workload) throws RemusException, InterruptedException {
        progress.accept(workload + ": guest image");
        GuestImage image = workload.compiles() ? GuestImage.makeForBenches() : GuestImage.make();
        progress.accept(workload + ": booting");
        BenchGuest.Shape shape = new BenchGuest.Shape(image, settings.memory(), settings.accelerator());
        BenchGuest guest = BenchGuest.boot(hosts, shape, workload.keys(), workload + ".log", stop);
        try (WorkClock clock = guest.clock(workload.line())) {
            measure(new Running(workload, clock, new BenchProtection(hosts, BenchGuest.VM)));
        } catch (IOException e) {
            throw new CommandException("the guest's console can't be closed: " + e.getMessage(), e);
        }
        guest.end();
    }

    private void measure(Running running) throws RemusException, InterruptedException {
        progress.accept(running.workload() + ": how long its work takes");
        WorkSize size = WorkSize.measure(running.clock());
        tally.begin(running.workload(), size.units(settings.perTurn()));
        List<Integer> rates = new ArrayList<>(settings.checkpointsPerSecond());
        rates.addFirst(UNPROTECTED);
        for (int round = 0; round <= settings.rounds(); round++) {
            int units = size.units(round == 0 ? WARM_UP : settings.perTurn());
            // To and fro, so that a machine that gets slower or faster all the time does so for all.
            for (int rate : round % 2 == 0 ? rates.reversed() : rates) {
                String what = "%s, %s, %s: "
                        .formatted(
                                running.workload(),
                                round == 0 ? "warm-up" : "round %d of %d".formatted(round, settings.rounds()),
                                rate == UNPROTECTED ? "unprotected" : rate + " a second");
                turn(running, rate, units, what, round > 0);
            }
        }
    }

    private void turn(Running running, int rate, int units, String what, boolean counts)
            throws RemusException, InterruptedException {
        BenchProtection protection = running.protection();
        if (rate == UNPROTECTED) {
            progress.accept(what + "%d units of work".formatted(units));
            long nanos = work(running.clock(), units);
            if (counts) {
                tally.addUnprotected(running.workload(), nanos);
            }
            return;
        }
        protection.begin(OverheadSettings.epochs(rate), reason -> progress.accept(what + reason));
        progress.accept(what + "%d units of work".formatted(units));
        protection.mark();
        long nanos = work(running.clock(), units);
        SessionFigures session = protection.sinceMark();
        protection.end();
        if (counts) {
            tally.add(running.workload(), rate, nanos, session);
        }
    }

    private static long work(WorkClock clock, int units) throws RemusException, InterruptedException {
        long begin = clock.awaitNext();
        return clock.await(units) - begin;
    }
}
