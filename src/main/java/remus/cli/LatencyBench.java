package remus.cli;

import java.io.IOException;
import java.time.Duration;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import remus.base.RemusException;
import remus.bench.BenchException;
import remus.bench.BenchMachine;
import remus.bench.BenchReport;
import remus.bench.Epochs;
import remus.bench.GuestImage;
import remus.bench.LatencyCase;
import remus.bench.LatencyMode;
import remus.bench.LatencySettings;
import remus.bench.LatencyTally;
import remus.bench.SessionFigures;
import remus.bench.StopSignal;
import remus.qemu.QemuInstallation;

/**
 * Measures how long a client of a guest's Redis waits for its answers, and how much longer the guest's other work takes
 * meanwhile, in turns without protection and with different epochs: one guest, one connection, the same two hosts.
 *
 * <p>Confined to the thread that calls {@link #run}; what was made is gone when that ends, however it ends.
 */
final class LatencyBench {
    private static final String NAME = "latency";
    private static final String WORK = "spin";

    /** Of the round before all others, which does not count. */
    private static final Duration WARM_UP = Duration.ofSeconds(2);

    private final LatencySettings settings;
    private final Consumer<String> progress;
    private final StopSignal stop;
    private final LatencyTally tally;

    private LatencyBench(LatencySettings settings, Consumer<String> progress, StopSignal stop) {
        this.settings = settings;
        this.progress = progress;
        this.stop = stop;
        tally = new LatencyTally(settings);
    }

    /** @param progress is told what goes on, for people */
    static BenchReport<LatencyCase> run(LatencySettings settings, Consumer<String> progress) throws BenchException {
        return StopSignal.during(
                "the latency could not be measured", stop -> new LatencyBench(settings, progress, stop).measureAll());
    }

    /** What runs, in one place. */
    private record Running(BenchProtection protection, LatencyClient client, WorkClock clock) {}

    private BenchReport<LatencyCase> measureAll() throws RemusException, InterruptedException {
        QemuInstallation installation = QemuInstallation.probe();
        BenchMachine machine = BenchMachine.read(installation, settings.accelerator());
        progress.accept("guest image");
        GuestImage image = GuestImage.make();
        try (BenchHosts hosts = new BenchHosts(NAME)) {
            Running running = start(hosts, image);
            progress.accept("how long the work takes");
            WorkSize size = WorkSize.measure(running.clock());
            for (int round = 0; round <= settings.rounds(); round++) {
                int units = size.units(round == 0 ? WARM_UP : settings.perTurn());
                for (LatencyMode mode : round % 2 == 0 ? settings.modes().reversed() : settings.modes()) {
                    turn(running, mode, round, units);
                }
            }
        }
        return new BenchReport<>(NAME, LocalDate.now(ZoneId.systemDefault()).toString(), machine, tally.cases());
    }

    private Running start(BenchHosts hosts, GuestImage image) throws RemusException, InterruptedException {
        progress.accept("hosts");
        hosts.start();
        progress.accept("booting the guest");
        BenchGuest.Shape shape = new BenchGuest.Shape(image, settings.memory(), settings.accelerator());
        BenchGuest guest = BenchGuest.boot(hosts, shape, "remus.run=redis," + WORK, "latency.log", stop);
        try {
            LatencyClient client = hosts.own(LatencyClient.start(
                    hosts.inside().connect(BenchGuest.ADDRESS, DemoGuest.REDIS_PORT), settings.every()));
            return new Running(new BenchProtection(hosts, BenchGuest.VM), client, hosts.own(guest.clock(WORK + ": ")));
        } catch (IOException e) {
            throw new CommandException("the guest's Redis can't be asked: " + e.getMessage(), e);
        }
    }

    private void turn(Running running, LatencyMode mode, int round, int units)
            throws RemusException, InterruptedException {
        String what = "%s, %s: "
                .formatted(round == 0 ? "warm-up" : "round %d of %d".formatted(round, settings.rounds()), mode.key());
        Optional<Epochs> epochs = mode.epochs(settings.maxPauseSharePercent());
        if (epochs.isPresent()) {
            running.protection().begin(epochs.get(), reason -> progress.accept(what + reason));
        }
        progress.accept(what + "%d units of work".formatted(units));
        long begin = running.clock().awaitNext();
        List<Long> _ = running.client().take();
        if (epochs.isPresent()) {
            running.protection().mark();
        }
        long end = running.clock().await(units);
        List<Long> answers = running.client().take();
        SessionFigures session = null;
        if (epochs.isPresent()) {
            session = running.protection().sinceMark();
            running.protection().end();
        }
        if (answers.isEmpty()) {
            throw new CommandException(what
                    + "no request was answered within %d ms; give it more --seconds"
                            .formatted((end - begin) / 1_000_000));
        }
        long workNanos = end - begin;
        long alikeNanos = workNanos;
        if (session != null) {
            progress.accept(what + "the same requests without protection");
            alikeNanos = unprotectedNanos(running, units, Duration.ofNanos(workNanos / answers.size()));
        }
        if (round > 0) {
            tally.add(mode, new LatencyTally.Turn(workNanos, alikeNanos, answers, session));
        }
    }

    /**
     * How long the work takes an unprotected guest that is asked as often. Late answers keep a client from asking, and a guest
     * that is asked less has less to do besides: against one that is asked more it would look quick.
     */
    private long unprotectedNanos(Running running, int units, Duration every)
            throws RemusException, InterruptedException {
        running.client().pace(every);
        try {
            long begin = running.clock().awaitNext();
            return running.clock().await(units) - begin;
        } finally {
            running.client().pace(settings.every());
        }
    }
}
