package remus.cli;

import java.time.Duration;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import remus.base.RemusException;
import remus.bench.BenchException;
import remus.bench.BenchMachine;
import remus.bench.BenchReport;
import remus.bench.GuestImage;
import remus.bench.GuestLoad;
import remus.bench.MigrationCase;
import remus.bench.MigrationSettings;
import remus.bench.MigrationSystem;
import remus.bench.MigrationTally;
import remus.bench.StopSignal;
import remus.qemu.QemuInstallation;

/**
 * Measures how a guest moves to another QEMU, in turns: by QEMU's own live migration, and by ours between two hosts of the
 * demo's. The guests are of one definition, and one runs at a time. Everything ours is real: two daemons in network
 * namespaces.
 *
 * <p>Confined to the thread that calls {@link #run}; what was made is gone when that ends, however it ends.
 */
final class MigrationBench {
    private static final String NAME = "migration";

    private final MigrationSettings settings;
    private final Consumer<String> progress;
    private final StopSignal stop;
    private final MigrationTally tally;

    private MigrationBench(MigrationSettings settings, Consumer<String> progress, StopSignal stop) {
        this.settings = settings;
        this.progress = progress;
        this.stop = stop;
        tally = new MigrationTally(settings);
    }

    /** @param progress is told what goes on, for people */
    static BenchReport<MigrationCase> run(MigrationSettings settings, Consumer<String> progress) throws BenchException {
        return StopSignal.during(
                "the migrations could not be measured",
                stop -> new MigrationBench(settings, progress, stop).measureAll());
    }

    private BenchReport<MigrationCase> measureAll() throws RemusException, InterruptedException {
        QemuInstallation installation = QemuInstallation.probe();
        BenchMachine machine = BenchMachine.read(installation, settings.accelerator());
        progress.accept("guest image");
        GuestImage image = GuestImage.make();
        try (BenchHosts hosts = new BenchHosts(NAME)) {
            MigrationGround ground = new MigrationGround(settings, image, hosts, stop);
            QemuMigrationTurn qemu = new QemuMigrationTurn(ground, installation);
            RemusMigrationTurn ours = settings.systems().contains(MigrationSystem.REMUS) ? startHosts(ground) : null;
            for (int round = 1; round <= settings.rounds(); round++) {
                measureRound(round, qemu, ours);
            }
        }
        return new BenchReport<>(NAME, LocalDate.now(ZoneId.systemDefault()).toString(), machine, tally.cases());
    }

    private void measureRound(int round, QemuMigrationTurn qemu, @Nullable RemusMigrationTurn ours)
            throws RemusException, InterruptedException {
        // To and fro, so that a machine that gets slower or faster all the time does so for both.
        List<MigrationSystem> inTurn = round % 2 == 0 ? settings.systems().reversed() : settings.systems();
        for (GuestLoad workload : settings.workloads()) {
            for (Duration limit : settings.downtimeLimits()) {
                for (MigrationSystem system : inTurn) {
                    turn(round, new MigrationTally.Key(system, workload, limit), qemu, ours);
                }
            }
        }
    }

    private void turn(int round, MigrationTally.Key key, QemuMigrationTurn qemu, @Nullable RemusMigrationTurn ours)
            throws RemusException, InterruptedException {
        progress.accept("round %d of %d, %s, %s, %d ms"
                .formatted(
                        round,
                        settings.rounds(),
                        key.workload(),
                        key.system().key(),
                        key.downtimeLimit().toMillis()));
        switch (key.system()) {
            case QEMU -> tally.addMeasured(key, qemu.run(key.workload(), key.downtimeLimit()));
            case REMUS -> {
                if (ours == null) {
                    throw new IllegalStateException("no hosts for " + key);
                }
                RemusMigrationTurn.Pair pair = ours.run(key.workload(), key.downtimeLimit());
                tally.addVerified(key, pair.verified());
                tally.addMeasured(key, pair.measured());
            }
        }
    }

    /** Starts both, and has each move a guest once: what their JVMs compile then is not measured. */
    private RemusMigrationTurn startHosts(MigrationGround ground) throws RemusException, InterruptedException {
        progress.accept("hosts");
        ground.hosts().start();
        RemusMigrationTurn ours = new RemusMigrationTurn(ground);
        progress.accept("warm-up");
        ours.run(settings.workloads().getFirst(), settings.downtimeLimits().getFirst());
        return ours;
    }
}
