package remus.bench;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;

/** Collects what the migration bench measures and makes its report of that. Confined to one thread. */
public final class MigrationTally {
    private static final double MEBIBYTE = 1 << 20;

    /** What is measured. */
    public record Key(MigrationSystem system, GuestLoad workload, Duration downtimeLimit) {}

    /** The migrations of one case. */
    private record Trials(List<MigrationTrial> measured, List<MigrationTrial> verified) {
        Trials() {
            this(new ArrayList<>(), new ArrayList<>());
        }

        List<MigrationTrial> all() {
            return Stream.concat(verified.stream(), measured.stream()).toList();
        }

        List<MigrationTrial.Figures> figures() {
            return measured.stream()
                    .map(MigrationTrial::figures)
                    .filter(Objects::nonNull)
                    .toList();
        }
    }

    private final MigrationSettings settings;
    private final Map<Key, Trials> trials = new LinkedHashMap<>();

    /** There will be a case for each workload, limit and system, in that order. */
    public MigrationTally(MigrationSettings settings) {
        this.settings = settings;
        for (GuestLoad workload : settings.workloads()) {
            for (Duration limit : settings.downtimeLimits()) {
                for (MigrationSystem system : settings.systems()) {
                    trials.put(new Key(system, workload, limit), new Trials());
                }
            }
        }
    }

    /** Notes a migration whose times count. */
    public void addMeasured(Key key, MigrationTrial trial) {
        of(key).measured().add(trial);
    }

    /** Notes a migration whose times don't count, for comparing took some of them. */
    public void addVerified(Key key, MigrationTrial trial) {
        of(key).verified().add(trial);
    }

    private Trials of(Key key) {
        Trials of = trials.get(key);
        if (of == null) {
            throw new IllegalArgumentException("no case of this bench: " + key);
        }
        return of;
    }

    /** All cases. */
    public List<MigrationCase> cases() {
        return trials.keySet().stream().map(this::summary).toList();
    }

    private MigrationCase summary(Key key) {
        Trials ours = of(key);
        Spread total = total(key);
        Spread downtime = downtime(key);
        Spread standstill = standstill(key);
        Spread stall = Spread.of(ours.figures(), MigrationTrial.Figures::clientStallMillis);
        Key qemu = new Key(MigrationSystem.QEMU, key.workload(), key.downtimeLimit());
        boolean comparable = key.system() != MigrationSystem.QEMU && trials.containsKey(qemu);
        long[] lost = ours.all().stream()
                .map(MigrationTrial::lostPages)
                .filter(Objects::nonNull)
                .mapToLong(Long::longValue)
                .toArray();
        List<Boolean> ran = ours.all().stream()
                .map(MigrationTrial::targetRan)
                .filter(Objects::nonNull)
                .toList();
        return new MigrationCase(
                key.system().key(),
                key.workload().toString(),
                key.downtimeLimit().toMillis(),
                settings.memory().bytes(),
                ours.measured().size(),
                ours.figures().size(),
                total.median(),
                total.min(),
                total.max(),
                downtime.median(),
                downtime.min(),
                downtime.max(),
                standstill.median(),
                standstill.min(),
                standstill.max(),
                stall.median(),
                stall.min(),
                stall.max(),
                Spread.of(ours.figures(), figures -> figures.bytesSent() / MEBIBYTE)
                        .median(),
                Spread.of(ours.figures(), figures -> (double) figures.rounds()).median(),
                total.dividedBy(comparable ? total(qemu) : null),
                downtime.dividedBy(comparable ? downtime(qemu) : null),
                standstill.dividedBy(comparable ? standstill(qemu) : null),
                lost.length,
                lost.length == 0 ? null : Long.valueOf(Arrays.stream(lost).sum()),
                (int) Arrays.stream(lost).filter(pages -> pages > 0).count(),
                ran.isEmpty() ? null : Boolean.valueOf(!ran.contains(false)),
                (int) ran.stream().filter(Boolean::booleanValue).count(),
                ran.size(),
                ours.all().stream()
                        .map(MigrationTrial::problem)
                        .filter(Objects::nonNull)
                        .distinct()
                        .toList());
    }

    private Spread total(Key key) {
        return Spread.of(of(key).figures(), MigrationTrial.Figures::totalMillis);
    }

    private Spread downtime(Key key) {
        return Spread.of(of(key).figures(), MigrationTrial.Figures::downtimeMillis);
    }

    private Spread standstill(Key key) {
        return Spread.of(of(key).figures(), MigrationTrial.Figures::standstillMillis);
    }
}
