package remus.cli;

import java.time.Duration;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import remus.base.RemusException;
import remus.bench.BenchException;
import remus.bench.BenchMachine;
import remus.bench.BenchReport;
import remus.bench.GuestImage;
import remus.bench.SessionFigures;
import remus.bench.StopSignal;
import remus.bench.ThroughputCase;
import remus.bench.ThroughputSettings;
import remus.bench.ThroughputTally;
import remus.bench.ThroughputWorkload;
import remus.qemu.QemuInstallation;

/**
 * Measures how much clients can get out of a guest, unprotected and protected in turns, on the same VM and the same two hosts,
 * and what the daemons and the link to the backup take for it.
 *
 * <p>Confined to the thread that calls {@link #run}; what was made is gone when that ends, however it ends.
 */
final class ThroughputBench {
    private static final String NAME = "throughput";

    /** Of the round before all others, which does not count. */
    private static final Duration WARM_UP = Duration.ofSeconds(2);

    private final ThroughputSettings settings;
    private final Consumer<String> progress;
    private final StopSignal stop;
    private final ThroughputTally tally;

    /** By whether the guest is protected: how fast redis-benchmark was last time. */
    private final Map<Setting, Double> redisRates = new EnumMap<>(Setting.class);

    private enum Setting {
        UNPROTECTED,
        PROTECTED;

        String key() {
            return this == PROTECTED ? "protected" : "unprotected";
        }
    }

    private ThroughputBench(ThroughputSettings settings, Consumer<String> progress, StopSignal stop) {
        this.settings = settings;
        this.progress = progress;
        this.stop = stop;
        tally = new ThroughputTally(settings);
    }

    /** @param progress is told what goes on, for people */
    static BenchReport<ThroughputCase> run(ThroughputSettings settings, Consumer<String> progress)
            throws BenchException {
        return StopSignal.during(
                "the throughput could not be measured",
                stop -> new ThroughputBench(settings, progress, stop).measureAll());
    }

    /** What runs, in one place. */
    private record Running(BenchHosts hosts, BenchProtection protection, GuestClients clients) {}

    private BenchReport<ThroughputCase> measureAll() throws RemusException, InterruptedException {
        QemuInstallation installation = QemuInstallation.probe();
        BenchMachine machine = BenchMachine.read(installation, settings.accelerator());
        progress.accept("guest image");
        GuestImage image = GuestImage.makeForBenches();
        try (BenchHosts hosts = new BenchHosts(NAME)) {
            progress.accept("hosts");
            hosts.start();
            progress.accept("booting the guest");
            BenchGuest.Shape shape = new BenchGuest.Shape(image, settings.memory(), settings.accelerator());
            BenchGuest.boot(hosts, shape, "remus.run=redis,iperf", NAME + ".log", stop);
            Running running =
                    new Running(hosts, new BenchProtection(hosts, BenchGuest.VM), new GuestClients(hosts, image, stop));
            for (int round = 0; round <= settings.rounds(); round++) {
                // To and fro, so that a machine that gets slower or faster all the time does so for both.
                List<Setting> inTurn = List.of(Setting.values());
                for (Setting setting : round % 2 == 0 ? inTurn.reversed() : inTurn) {
                    turns(running, setting, round);
                }
            }
        }
        return new BenchReport<>(NAME, LocalDate.now(ZoneId.systemDefault()).toString(), machine, tally.cases());
    }

    /** All workloads, one after the other, each in a session of its own: a session's figures are those of all of it. */
    private void turns(Running running, Setting setting, int round) throws RemusException, InterruptedException {
        for (ThroughputWorkload workload : settings.workloads()) {
            String what = "%s, %s, %s"
                    .formatted(
                            round == 0 ? "warm-up" : "round %d of %d".formatted(round, settings.rounds()),
                            setting.key(),
                            workload.key());
            if (setting == Setting.PROTECTED) {
                running.protection().begin(settings.epochs(), reason -> progress.accept(what + ": " + reason));
            }
            progress.accept(what);
            ThroughputTally.Turn turn = turn(running, setting, workload, round == 0 ? WARM_UP : settings.perTurn());
            if (setting == Setting.PROTECTED) {
                running.protection().end();
            }
            if (round > 0) {
                tally.add(workload, setting == Setting.PROTECTED, turn);
            }
        }
    }

    private ThroughputTally.Turn turn(Running running, Setting setting, ThroughputWorkload workload, Duration duration)
            throws RemusException, InterruptedException {
        long requests = workload == ThroughputWorkload.REDIS ? requests(running.clients(), setting, duration) : 0;
        DaemonCost primary = DaemonCost.begin(running.hosts().alpha());
        DaemonCost backup = DaemonCost.begin(running.hosts().beta());
        if (setting == Setting.PROTECTED) {
            running.protection().mark();
        }
        double rate = switch (workload) {
            case IPERF_TO_GUEST -> running.clients().iperf(false, duration);
            case IPERF_FROM_GUEST -> running.clients().iperf(true, duration);
            case REDIS -> running.clients().redis(requests);
        };
        @Nullable
        SessionFigures session =
                setting == Setting.PROTECTED ? running.protection().sinceMark() : null;
        if (workload == ThroughputWorkload.REDIS) {
            redisRates.put(setting, rate);
        }
        return new ThroughputTally.Turn(rate, primary.end(), backup.end(), session);
    }

    /** redis-benchmark counts requests and not time: as many as took so long last time. */
    private long requests(GuestClients clients, Setting setting, Duration duration)
            throws RemusException, InterruptedException {
        if (!redisRates.containsKey(setting)) {
            redisRates.put(setting, clients.redis(GuestClients.FIRST_REQUESTS));
        }
        return Math.round(Objects.requireNonNull(redisRates.get(setting)) * duration.toNanos() / 1e9);
    }
}
