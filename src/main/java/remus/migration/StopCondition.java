package remus.migration;

import java.time.Duration;
import org.jspecify.annotations.Nullable;
import remus.base.ByteSize;
import remus.base.DurationText;

/**
 * What ends the rounds of a migration (Clark et al. 2005, §3.3 and §5.3, and what has proved useful since). Asked after
 * each round; without state of its own.
 */
sealed interface StopCondition {
    /** When that is, to follow "as soon as" or "when" in the plan. */
    String clause();

    /** How it was met, in words and numbers for the report; null: it was not. */
    @Nullable
    String met(RoundHistory rounds);

    /** No page was written since the last round began: nothing is left but what the guest writes until it stands still. */
    record Clean() implements StopCondition {
        @Override
        public String clause() {
            return "a round leaves no page";
        }

        @Override
        public @Nullable String met(RoundHistory rounds) {
            return rounds.pagesLeft() > 0 ? null : "round %d left no page".formatted(rounds.rounds());
        }
    }

    /**
     * What is left takes no longer than {@code maxDowntime} at the rate measured; with no rate measured it is not met. Nor is it
     * as long as rounds shrink: one more costs no more than that time, in which the guest runs, and shortens the downtime.
     */
    record WithinDowntime(Duration maxDowntime) implements StopCondition {
        @Override
        public String clause() {
            return "what is left can be sent within %s at the rate measured and no longer halves from round to round"
                    .formatted(DurationText.format(maxDowntime));
        }

        @Override
        public @Nullable String met(RoundHistory rounds) {
            double nanos = rounds.nanosLeft();
            return nanos > maxDowntime.toNanos() || rounds.isShrinking()
                    ? null
                    : "%s left can be sent in %s, within %s"
                            .formatted(
                                    Words.pages(rounds.pagesLeft(), rounds.bytesLeft()),
                                    Words.millis(nanos),
                                    DurationText.format(maxDowntime));
        }
    }

    /**
     * The number of pages left has not changed over {@code count} rounds: the largest and the smallest differ by at most
     * {@code tolerancePercent} of the largest. What the guest writes all the time is all that is left, and comes anew.
     */
    record Settled(int count, int tolerancePercent) implements StopCondition {
        @Override
        public String clause() {
            return "%d rounds in succession leave the same number of pages (within %d %%)"
                    .formatted(count, tolerancePercent);
        }

        @Override
        public @Nullable String met(RoundHistory rounds) {
            if (rounds.comparableRounds() < count) {
                return null;
            }
            long most = rounds.mostLeft(count);
            long least = rounds.leastLeft(count);
            return (most - least) * 100 > most * tolerancePercent
                    ? null
                    : "%d rounds in succession left %s"
                            .formatted(
                                    count,
                                    most == least
                                            ? Words.pages(most)
                                            : Words.number(least) + " to " + Words.pages(most));
        }
    }

    /**
     * The next round would have to be faster than the maximum: the guest writes as fast as may be sent. That ends
     * pre-copy in Clark et al., too.
     */
    record RatePassed(RateLimit rate) implements StopCondition {
        @Override
        public String clause() {
            return "the next round would have to be faster than %s a second".formatted(rate.max());
        }

        @Override
        public @Nullable String met(RoundHistory rounds) {
            long dirtied = rounds.dirtiedBytesPerSecond();
            return rate.isPassedBy(dirtied)
                    ? "the guest writes %s a second, too fast for a next round of at most %s a second"
                            .formatted(new ByteSize(dirtied), rate.max())
                    : null;
        }
    }

    /** Another round could bring the page data sent beyond {@code max}. The first round is always sent whole. */
    record DataUsedUp(ByteSize max) implements StopCondition {
        @Override
        public String clause() {
            return "another round could bring the page data sent beyond %s".formatted(max);
        }

        @Override
        public @Nullable String met(RoundHistory rounds) {
            return rounds.bytesSent() + rounds.bytesLeft() <= max.bytes()
                    ? null
                    : "%s were sent, and the %s left could bring that beyond %s"
                            .formatted(
                                    new ByteSize(rounds.bytesSent()),
                                    Words.pages(rounds.pagesLeft(), rounds.bytesLeft()),
                                    max);
        }
    }

    /** So many rounds were done. */
    record RoundsUsedUp(int max) implements StopCondition {
        @Override
        public String clause() {
            return "%s done".formatted(max == 1 ? "1 round is" : max + " rounds are");
        }

        @Override
        public @Nullable String met(RoundHistory rounds) {
            return rounds.rounds() < max
                    ? null
                    : "%s done, and %s left"
                            .formatted(
                                    max == 1 ? "1 round was" : max + " rounds were",
                                    Words.pages(rounds.pagesLeft(), rounds.bytesLeft()));
        }
    }
}
