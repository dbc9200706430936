package remus.host;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import remus.api.MigrateRequest;
import remus.api.MigrationMode;
import remus.api.WhenUnconverged;
import remus.base.ByteSize;
import remus.base.DurationText;
import remus.host.OperationException.Kind;
import remus.migration.MigrationPlan;
import remus.migration.MigrationPlan.Mode;
import remus.migration.MigrationPlan.Unconverged;
import remus.migration.RateLimit;
import remus.migration.StopSettings;

/**
 * Reads what {@code migrate} was asked for: the values given, the defaults for the others. A value that can't be, or that
 * would mean nothing beside the others, is refused by its name, all of them at once. Used once, by one thread.
 */
final class MigrationOrder {
    private final MigrateRequest request;
    private final Mode mode;
    private final List<String> problems = new ArrayList<>();

    private MigrationOrder(MigrateRequest request) {
        this.request = request;
        this.mode = mode(request.mode());
    }

    /** @throws OperationException naming each value that can't be */
    static MigrationPlan plan(MigrateRequest request) throws OperationException {
        return new MigrationOrder(request).read();
    }

    private MigrationPlan read() throws OperationException {
        String to = request.to();
        if (to == null || to.isBlank()) {
            problems.add("to: missing; give the destination's ADDR:PORT or the name of a peer");
        }
        Unconverged unconverged = value(
                "whenUnconverged",
                request.whenUnconverged(),
                MigrationPlan.DEFAULTS.unconverged(),
                MigrationOrder::unconverged);
        StopSettings stop = stop(unconverged);
        RateLimit rate = rate();
        if (!problems.isEmpty()) {
            throw new OperationException(Kind.REFUSED, "migrate: " + String.join("; ", problems), "");
        }
        return new MigrationPlan(
                mode, stop, unconverged, rate, isWanted(request.sharedDisks()), isWanted(request.verify()));
    }

    private StopSettings stop(Unconverged unconverged) {
        StopSettings defaults = StopSettings.DEFAULTS;
        // Who says how exactly wants it, with a guest that is to be slowed down or left alone, too.
        int settledRounds = request.settledTolerancePercent() == null
                ? StopSettings.defaultSettledRounds(unconverged)
                : defaults.settledRounds();
        return new StopSettings(
                value(
                        "maxDowntime",
                        request.maxDowntime(),
                        defaults.maxDowntime(),
                        text -> StopSettings.checkMaxDowntime(DurationText.parse(text))),
                value("maxRounds", request.maxRounds(), defaults.maxRounds(), StopSettings::checkMaxRounds),
                value("settledRounds", request.settledRounds(), settledRounds, StopSettings::checkSettledRounds),
                value(
                        "settledTolerancePercent",
                        request.settledTolerancePercent(),
                        defaults.settledTolerancePercent(),
                        StopSettings::checkSettledTolerancePercent),
                value("untilClean", request.untilClean(), defaults.untilClean(), given -> given),
                value(
                        "maxData",
                        request.maxData(),
                        defaults.maxData(),
                        text -> StopSettings.checkMaxData(ByteSize.parse(text))));
    }

    private RateLimit rate() {
        RateLimit defaults = RateLimit.NONE;
        ByteSize min = value("minRate", request.minRate(), defaults.min(), MigrationOrder::rate);
        ByteSize max = value("maxRate", request.maxRate(), defaults.max(), MigrationOrder::rate);
        ByteSize step = value(
                "rateStep", request.rateStep(), defaults.step(), text -> RateLimit.checkStep(ByteSize.parse(text)));
        if (mode == Mode.PRE_COPY && request.rateStep() != null && request.minRate() == null) {
            problems.add("rateStep: needs minRate, the rate of the first round");
        }
        if (RateLimit.isLess(max, min)) {
            problems.add("minRate: " + RateLimit.aboveMax(min, max));
            return defaults;
        }
        return new RateLimit(min, max, step);
    }

    /** What is said of the rounds: {@code given} if that can be, else {@code otherwise}, with the problem noted. */
    private <G, T> T value(String key, @Nullable G given, T otherwise, Function<G, T> read) {
        if (given == null) {
            return otherwise;
        }
        if (mode == Mode.STOP_THE_WORLD) {
            problems.add(key + ": stop-the-world has no rounds that it could apply to");
            return otherwise;
        }
        try {
            return read.apply(given);
        } catch (IllegalArgumentException e) {
            problems.add(key + ": " + e.getMessage());
            return otherwise;
        }
    }

    private static Mode mode(@Nullable MigrationMode wanted) {
        return wanted == null
                ? MigrationPlan.DEFAULTS.mode()
                : switch (wanted) {
                    case PRE_COPY -> Mode.PRE_COPY;
                    case STOP_THE_WORLD -> Mode.STOP_THE_WORLD;
                };
    }

    private static Unconverged unconverged(WhenUnconverged wanted) {
        return switch (wanted) {
            case STOP -> Unconverged.STOP;
            case AUTO_CONVERGE -> Unconverged.AUTO_CONVERGE;
            case ABORT -> Unconverged.ABORT;
        };
    }

    private static ByteSize rate(String text) {
        return RateLimit.checkRate(ByteSize.parse(text));
    }

    private static boolean isWanted(@Nullable Boolean given) {
        return given != null && given;
    }
}
