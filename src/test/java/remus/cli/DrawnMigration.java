package remus.cli;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import remus.api.MigrateRequest;
import remus.api.MigrationMode;
import remus.api.WhenUnconverged;

/**
 * One migration of a campaign. All of them are drawn before the first one begins: the seed alone decides them, whatever
 * the hosts do.
 *
 * @param isProtected whether the VM is protected by the third host, which is to go on from where it moves to
 * @param hop which of the two other hosts it moves to: 0 or 1
 * @param order how; its destination is not said yet
 */
record DrawnMigration(MigrationGuest guest, boolean isProtected, int hop, MigrateRequest order) {
    private static final int PROTECTED_ONE_IN = 5;
    private static final int STOP_THE_WORLD_ONE_IN = 6;
    private static final int AUTO_CONVERGE_ONE_IN = 6;
    private static final int LIMITED_RATE_ONE_IN = 3;
    private static final int DEFAULTS_ONE_IN = 5;

    private static final List<String> DOWNTIMES = List.of("10ms", "30ms", "100ms", "300ms");
    private static final List<Integer> TOLERANCES = List.of(5, 20, 50);
    private static final List<String> DATA = List.of("1MiB", "190MiB", "400MiB");

    /** Well below what the guest that is faster than the link writes: 16 MiB in 25 ms. */
    private static final List<String> SLOW_LINKS = List.of("30MiB", "45MiB", "60MiB");

    /** What the conditions of a request say, but for those that it leaves to the host. */
    private record Conditions(
            @Nullable String maxDowntime,
            @Nullable Integer maxRounds,
            @Nullable Integer settledRounds,
            @Nullable Integer settledTolerancePercent,
            @Nullable Boolean untilClean,
            @Nullable String maxData,
            @Nullable WhenUnconverged whenUnconverged) {
        static final Conditions NONE = new Conditions(null, null, null, null, null, null, null);
    }

    private record Rates(
            @Nullable String min,
            @Nullable String max,
            @Nullable String step) {
        static final Rates NONE = new Rates(null, null, null);
    }

    /** Each guest has its share of the rounds, one after the other, in an order that is drawn, too. */
    static List<DrawnMigration> draw(int rounds, Random random) {
        List<MigrationGuest> guests = new ArrayList<>(List.of(MigrationGuest.values()));
        Collections.shuffle(guests, random);
        List<DrawnMigration> drawn = new ArrayList<>();
        for (int round = 0; round < rounds; round++) {
            MigrationGuest guest = guests.get(round * guests.size() / Math.max(rounds, guests.size()));
            boolean isProtected = random.nextInt(PROTECTED_ONE_IN) == 0;
            int hop = random.nextInt(2);
            drawn.add(new DrawnMigration(guest, isProtected, hop, order(guest, random)));
        }
        return drawn;
    }

    private static MigrateRequest order(MigrationGuest guest, Random random) {
        return switch (guest) {
            case FASTER_THAN_LINK -> request(unconverging(random), new Rates(null, of(SLOW_LINKS, random), null));
            case IDLE, DIRTY_500, DIRTY_2000 ->
                random.nextInt(STOP_THE_WORLD_ONE_IN) == 0
                        ? stopTheWorld()
                        : request(converging(random), rates(random));
        };
    }

    private static MigrateRequest stopTheWorld() {
        return new MigrateRequest(
                null,
                MigrationMode.STOP_THE_WORLD,
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                true);
    }

    private static MigrateRequest request(Conditions conditions, Rates rates) {
        return new MigrateRequest(
                null,
                MigrationMode.PRE_COPY,
                conditions.maxDowntime(),
                conditions.maxRounds(),
                conditions.settledRounds(),
                conditions.settledTolerancePercent(),
                conditions.untilClean(),
                conditions.maxData(),
                conditions.whenUnconverged(),
                rates.min(),
                rates.max(),
                rates.step(),
                null,
                true);
    }

    /** As the defaults have it, or by one condition alone and a limit, for that one to be the one that ends it. */
    private static Conditions converging(Random random) {
        if (random.nextInt(DEFAULTS_ONE_IN) == 0) {
            return Conditions.NONE;
        }
        WhenUnconverged policy =
                random.nextInt(AUTO_CONVERGE_ONE_IN) == 0 ? WhenUnconverged.AUTO_CONVERGE : WhenUnconverged.STOP;
        return switch (random.nextInt(5)) {
            case 0 -> new Conditions(of(DOWNTIMES, random), 30, 0, null, false, null, policy);
            case 1 -> new Conditions("0ms", 15, 2 + random.nextInt(3), of(TOLERANCES, random), false, null, policy);
            case 2 -> new Conditions("0ms", 6, 0, null, true, null, policy);
            case 3 -> new Conditions("0ms", 1 + random.nextInt(4), 0, null, false, null, policy);
            default -> new Conditions("0ms", 20, 0, null, false, of(DATA, random), policy);
        };
    }

    /** Rounds or data end it, if the guest is not slowed down until it converges. */
    private static Conditions unconverging(Random random) {
        WhenUnconverged policy = of(List.of(WhenUnconverged.values()), random);
        String maxDowntime = policy == WhenUnconverged.AUTO_CONVERGE ? "100ms" : "1ms";
        int maxRounds = policy == WhenUnconverged.AUTO_CONVERGE ? 14 : 2 + random.nextInt(4);
        String maxData = random.nextInt(3) == 0 ? "250MiB" : null;
        return new Conditions(maxDowntime, maxRounds, 0, null, null, maxData, policy);
    }

    private static Rates rates(Random random) {
        if (random.nextInt(LIMITED_RATE_ONE_IN) > 0) {
            return Rates.NONE;
        }
        return switch (random.nextInt(3)) {
            case 0 -> new Rates(null, "200MiB", null);
            case 1 -> new Rates("80MiB", null, "20MiB");
            default -> new Rates("80MiB", "160MiB", null);
        };
    }

    private static <T> T of(List<T> choices, Random random) {
        return choices.get(random.nextInt(choices.size()));
    }

    /** The request for that destination. */
    MigrateRequest to(DemoHost destination) {
        return new MigrateRequest(
                destination.replicationAddress().toString(),
                order.mode(),
                order.maxDowntime(),
                order.maxRounds(),
                order.settledRounds(),
                order.settledTolerancePercent(),
                order.untilClean(),
                order.maxData(),
                order.whenUnconverged(),
                order.minRate(),
                order.maxRate(),
                order.rateStep(),
                order.sharedDisks(),
                order.verify());
    }

    /** Migrations that are compared with each other: by guest, but that one mode has downtimes of its own. */
    String workload() {
        return order.mode() == MigrationMode.STOP_THE_WORLD ? String.valueOf(order.mode()) : guest.toString();
    }

    boolean isAborted() {
        return order.whenUnconverged() == WhenUnconverged.ABORT;
    }

    /** Neither slowed down nor given time enough, it ends by its limits. */
    boolean cannotConverge() {
        return guest == MigrationGuest.FASTER_THAN_LINK && order.whenUnconverged() != WhenUnconverged.AUTO_CONVERGE;
    }

    /** The guest, and the options of {@code remus migrate} that say the same. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder(guest.toString());
        text.append(isProtected ? ", protected" : "");
        option(text, "--mode", order.mode());
        option(text, "--max-downtime", order.maxDowntime());
        option(text, "--max-rounds", order.maxRounds());
        option(text, "--settled-rounds", order.settledRounds());
        option(text, "--settled-tolerance", order.settledTolerancePercent());
        option(text, "--until-clean", order.untilClean());
        option(text, "--max-data", order.maxData());
        option(text, "--min-rate", order.minRate());
        option(text, "--max-rate", order.maxRate());
        option(text, "--rate-step", order.rateStep());
        WhenUnconverged policy = order.whenUnconverged();
        text.append(policy == null || policy == WhenUnconverged.STOP ? "" : " --" + policy);
        return text.append(" --verify").toString();
    }

    private static void option(StringBuilder text, String name, @Nullable Object value) {
        if (value instanceof Boolean given) {
            text.append(given ? " " + name : " --no-" + name.substring(2));
        } else if (value != null) {
            text.append(' ').append(name).append(' ').append(value);
        }
    }
}
