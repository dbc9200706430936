package remus.cli;

import static java.util.Objects.requireNonNullElse;

import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import remus.api.MigrateRequest;
import remus.api.MigrationMode;
import remus.api.MigrationRound;
import remus.api.MigrationStatus;
import remus.api.WhenUnconverged;
import remus.base.ByteSize;
import remus.memory.GuestMemory;

/** What a migration's report can name as the end of its rounds, by the words, and whether order and rounds bear it out. */
enum MigrationEnding {
    CLEAN("round \\d+ left no page"),
    FITS_DOWNTIME(".* left can be sent in .*, within .*"),
    SETTLED("\\d+ rounds in succession left .*"),
    RATE_PASSED("the guest writes .* a second, too fast for a next round .*"),
    DATA_USED_UP(".* were sent, and the .* left could bring that beyond .*"),
    ROUNDS_USED_UP("(1 round was|\\d+ rounds were) done, and .* left"),
    STOOD_STILL("the guest stood still from the beginning");

    private static final int DEFAULT_MAX_ROUNDS = 30;
    private static final int DEFAULT_SETTLED_ROUNDS = 5;
    private static final int DEFAULT_TOLERANCE_PERCENT = 5;
    private static final String OFF = "0ms";

    private final Pattern words;

    MigrationEnding(String words) {
        this.words = Pattern.compile(words);
    }

    /** @throws AssertionError where none is named, or none that is known */
    static MigrationEnding of(MigrationStatus report) {
        String named = report.stopCondition();
        List<MigrationEnding> found = List.of(values()).stream()
                .filter(ending -> named != null && ending.words.matcher(named).matches())
                .toList();
        if (found.size() != 1) {
            throw new AssertionError("the report names '%s' as the end of its rounds".formatted(named));
        }
        return found.getFirst();
    }

    /** Why this can't have ended a migration so ordered, with the rounds that it had; null: it can. */
    @Nullable
    String contradiction(MigrateRequest order, MigrationStatus report) {
        if (!isAsked(order)) {
            return "%s was not asked for".formatted(this);
        }
        return isBorneOut(order, report)
                ? null
                : "%s is not what the rounds show: %s".formatted(report.stopCondition(), report.rounds());
    }

    private boolean isAsked(MigrateRequest order) {
        boolean hasRounds = order.mode() != MigrationMode.STOP_THE_WORLD;
        return switch (this) {
            case CLEAN -> hasRounds && requireNonNullElse(order.untilClean(), true);
            case FITS_DOWNTIME -> hasRounds && !OFF.equals(order.maxDowntime());
            case SETTLED -> hasRounds && settledRounds(order) > 0;
            case RATE_PASSED -> order.minRate() != null && order.maxRate() != null && stopsAllTheSame(order);
            case DATA_USED_UP -> order.maxData() != null;
            case ROUNDS_USED_UP -> hasRounds;
            case STOOD_STILL -> !hasRounds;
        };
    }

    private static boolean stopsAllTheSame(MigrateRequest order) {
        return requireNonNullElse(order.whenUnconverged(), WhenUnconverged.STOP) == WhenUnconverged.STOP;
    }

    private static int settledRounds(MigrateRequest order) {
        Integer asked = order.settledRounds();
        return asked != null ? asked : stopsAllTheSame(order) ? DEFAULT_SETTLED_ROUNDS : 0;
    }

    /** What fits depends on the rate of the link, which the report does not tell, and so does the next round's rate. */
    private boolean isBorneOut(MigrateRequest order, MigrationStatus report) {
        List<MigrationRound> rounds = report.rounds();
        long left = rounds.getLast().dirtiedPages();
        return switch (this) {
            case CLEAN -> left == 0;
            case FITS_DOWNTIME, RATE_PASSED -> true;
            case SETTLED -> isSettled(order, rounds);
            case DATA_USED_UP -> isBeyond(String.valueOf(order.maxData()), rounds, left);
            case ROUNDS_USED_UP -> rounds.size() == requireNonNullElse(order.maxRounds(), DEFAULT_MAX_ROUNDS);
            case STOOD_STILL -> rounds.size() == 1;
        };
    }

    private static boolean isSettled(MigrateRequest order, List<MigrationRound> rounds) {
        int count = settledRounds(order);
        if (rounds.size() < count) {
            return false;
        }
        List<Long> left = rounds.subList(rounds.size() - count, rounds.size()).stream()
                .map(MigrationRound::dirtiedPages)
                .sorted()
                .toList();
        int tolerance = requireNonNullElse(order.settledTolerancePercent(), DEFAULT_TOLERANCE_PERCENT);
        return (left.getLast() - left.getFirst()) * 100 <= left.getLast() * tolerance;
    }

    private static boolean isBeyond(String max, List<MigrationRound> rounds, long left) {
        long sent = rounds.stream().mapToLong(MigrationRound::bytes).sum();
        return sent + left * GuestMemory.PAGE_BYTES > ByteSize.parse(max).bytes();
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
