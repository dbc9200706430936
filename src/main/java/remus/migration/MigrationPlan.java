package remus.migration;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import remus.base.ByteSize;

/**
 * How a VM is moved to another host, checked, and what that means for it, in sentences for people.
 *
 * @param stop which conditions end the rounds; pre-copy only
 * @param unconverged what follows when they don't; pre-copy only
 * @param rate how fast the rounds are sent; pre-copy only
 * @param sharedDisks whether both hosts see the same images, which are then not copied
 * @param verify whether both hosts compare the whole memory before the guest goes on
 */
public record MigrationPlan(
        Mode mode, StopSettings stop, Unconverged unconverged, RateLimit rate, boolean sharedDisks, boolean verify) {
    /** Whether the guest runs while it is copied. */
    public enum Mode {
        /** Memory and disks are copied while it runs, what it writes meanwhile again, the rest while it stands still. */
        PRE_COPY,
        /** It stands still from the beginning until it runs at the destination. */
        STOP_THE_WORLD
    }

    /** What becomes of a guest that still writes too much when the rounds or the data allowed are used up. */
    public enum Unconverged {
        /** It is suspended all the same; the downtime is what it is then. */
        STOP,
        /** It is slowed down after each round that gains too little, and suspended all the same if that was in vain. */
        AUTO_CONVERGE,
        /** The migration is given up, and it runs on where it is. */
        ABORT
    }

    public static final MigrationPlan DEFAULTS =
            new MigrationPlan(Mode.PRE_COPY, StopSettings.DEFAULTS, Unconverged.STOP, RateLimit.NONE, false, false);

    /** Conditions under which the guest is suspended: that was the aim, or more rounds gain nothing. The first is named. */
    List<StopCondition> aims() {
        List<StopCondition> aims = new ArrayList<>();
        if (stop.untilClean()) {
            aims.add(new StopCondition.Clean());
        }
        if (!stop.maxDowntime().isZero()) {
            aims.add(new StopCondition.WithinDowntime(stop.maxDowntime()));
        }
        if (stop.settledRounds() > 0) {
            aims.add(new StopCondition.Settled(stop.settledRounds(), stop.settledTolerancePercent()));
        }
        // Who wants such a guest slowed down or left alone gets that, with the rounds at the maximum until then.
        if (rate.followsGuest() && rate.max().bytes() != 0 && unconverged == Unconverged.STOP) {
            aims.add(new StopCondition.RatePassed(rate));
        }
        return aims;
    }

    /** Conditions under which {@link #unconverged} decides; the first that is met is the one that is named. */
    List<StopCondition> limits() {
        List<StopCondition> limits = new ArrayList<>();
        if (stop.maxData().bytes() != 0) {
            limits.add(new StopCondition.DataUsedUp(stop.maxData()));
        }
        limits.add(new StopCondition.RoundsUsedUp(stop.maxRounds()));
        return limits;
    }

    /**
     * Whether checkpoints may come before the last one. Not with shared disks: a destination that took one of them over would
     * see images that the guest has written to since.
     */
    boolean settles() {
        return !sharedDisks;
    }

    /** What is going to happen, for people, before it does: one sentence or two about each matter. */
    public List<String> sentences() {
        List<String> sentences = new ArrayList<>();
        switch (mode) {
            case PRE_COPY -> {
                sentences.add(
                        "Memory is copied while the guest runs, in rounds: first all of it, then each time what the"
                                + " guest has written since the round before began.");
                sentences.addAll(endOfRounds());
                sentences.add(rateSentence());
                if (settles()) {
                    sentences.add(settlingSentence());
                }
            }
            case STOP_THE_WORLD ->
                sentences.add("The guest is suspended at once and stands still until it runs at the destination; all of"
                        + " its memory is copied meanwhile, as fast as the link takes it.");
        }
        sentences.add(diskSentence());
        if (verify) {
            sentences.add(
                    "Both hosts compare all of the memory before the guest goes on: the downtime is longer by that.");
        }
        return List.copyOf(sentences);
    }

    private static String settlingSentence() {
        return ("Where that leaves no more than %s, a few checkpoints make the destination ready before the guest is"
                        + " suspended for good; it pauses for each of them.")
                .formatted(new ByteSize(PreCopyRules.MAX_SETTLING_BYTES));
    }

    private List<String> endOfRounds() {
        List<StopCondition> aims = aims();
        String end = whenUnconverged(alternatives(limits()));
        return aims.isEmpty()
                ? List.of("Whatever it writes, " + end)
                : List.of(
                        "It is suspended, and the rest copied, as soon as %s.".formatted(alternatives(aims)),
                        "If it writes too fast for that, " + end);
    }

    private String whenUnconverged(String limit) {
        return switch (unconverged) {
            case STOP ->
                "it is suspended when %s; the downtime is then as long as it takes to send what is left."
                        .formatted(limit);
            case AUTO_CONVERGE ->
                ("it is slowed down: after the first round in which it wrote more than %d %% of what was sent it stands"
                                + " still for %d %% of the time, after each further one for %d %% more, up to %d %%."
                                + " It is suspended all the same when %s.")
                        .formatted(
                                PreCopyRules.SLOW_DOWN_PERCENT,
                                PreCopyRules.FIRST_HELD_PERCENT,
                                PreCopyRules.HELD_STEP_PERCENT,
                                PreCopyRules.MAX_HELD_PERCENT,
                                limit);
            case ABORT -> "the migration is given up when %s, and it runs on where it is.".formatted(limit);
        };
    }

    private static String alternatives(List<StopCondition> conditions) {
        List<String> clauses =
                conditions.stream().map(StopCondition::clause).collect(Collectors.toCollection(ArrayList::new));
        String last = clauses.removeLast();
        return clauses.isEmpty() ? last : String.join(", ", clauses) + " or " + last;
    }

    private String rateSentence() {
        String rest = " What is left when the guest is suspended is sent as fast as the link takes it.";
        if (rate.followsGuest()) {
            String cap = rate.max().bytes() == 0 ? "" : ", at most %s a second".formatted(rate.max());
            return "The first round is sent at %s a second, each further one %s a second faster"
                            .formatted(rate.min(), rate.step())
                    + " than the guest wrote in the one before%s.".formatted(cap)
                    + rest;
        }
        return rate.max().bytes() == 0
                ? "All of it is sent as fast as the link takes it."
                : "Rounds are sent at no more than %s a second.".formatted(rate.max()) + rest;
    }

    private String diskSentence() {
        if (sharedDisks) {
            return "Disks are not copied: both hosts must see the same images.";
        }
        return switch (mode) {
            case PRE_COPY -> "Disks are copied while the guest runs, what it writes to them meanwhile too.";
            case STOP_THE_WORLD -> "Disks are copied while the guest stands still.";
        };
    }
}
