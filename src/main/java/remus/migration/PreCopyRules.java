package remus.migration;

import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.base.Invariant;
import remus.checkpoint.PreCopyPolicy;
import remus.checkpoint.PreCopyRound;
import remus.migration.MigrationPlan.Mode;
import remus.migration.MigrationPlan.Unconverged;

/**
 * Decides about the rounds of one migration as its plan says.
 *
 * <ol>
 *   <li>The first round is always copied.
 *   <li>A condition of {@link MigrationPlan#aims} is met: the guest is suspended, and for good where more than
 *       {@link #MAX_SETTLING_BYTES} is left, or {@linkplain MigrationPlan#settles disks are shared}.
 *   <li>One of {@link MigrationPlan#limits} is met: it is suspended for good all the same, or the migration given up.
 *   <li>Else another round follows, at the rate that {@link RateLimit} says. {@link Unconverged#AUTO_CONVERGE}: a round in
 *       which the guest wrote more than {@value #SLOW_DOWN_PERCENT} % of what was sent makes it stand still for
 *       {@value #FIRST_HELD_PERCENT} % of the time, and each further one for {@value #HELD_STEP_PERCENT} % more, up to
 *       {@value #MAX_HELD_PERCENT} %; it is never let go faster again.
 * </ol>
 *
 * Stop-the-world is one round without a limit while the guest stands still, and then the suspension, which finds nothing
 * left. Invariants: rounds come in order; nothing is decided after the end. Confined to the VM's agent thread.
 */
public final class PreCopyRules implements PreCopyPolicy {
    /** A round that gains less than half is hardly worth its while; QEMU's throttle-trigger-threshold is the same. */
    static final int SLOW_DOWN_PERCENT = 50;

    /** QEMU's cpu-throttle-initial. */
    static final int FIRST_HELD_PERCENT = 20;

    /** QEMU's cpu-throttle-increment. */
    static final int HELD_STEP_PERCENT = 10;

    /** QEMU's max-cpu-throttle. */
    static final int MAX_HELD_PERCENT = 99;

    /**
     * Where more than this is left, the first checkpoint is the last one: what is gained by a destination that is ready would
     * be lost by copying so much once more.
     */
    static final long MAX_SETTLING_BYTES = 16L << 20;

    private static final int ALL_THE_TIME = 100;
    private static final long UNLIMITED = 0;

    private final MigrationPlan plan;
    private final List<StopCondition> aims;
    private final List<StopCondition> limits;
    private final RoundHistory history;
    private final int pageBytes;
    private @Nullable String stopCondition;
    private long bytesPerSecond;
    private int heldPercent;

    /** @param pageBytes size of a page of the rounds */
    public PreCopyRules(MigrationPlan plan, int pageBytes) {
        this.plan = plan;
        this.aims = plan.aims();
        this.limits = plan.limits();
        this.history = new RoundHistory(pageBytes);
        this.pageBytes = pageBytes;
        this.bytesPerSecond = plan.mode() == Mode.PRE_COPY ? plan.rate().first() : UNLIMITED;
        this.heldPercent = plan.mode() == Mode.PRE_COPY ? 0 : ALL_THE_TIME;
    }

    @Override
    public Decision decide(@Nullable PreCopyRound done, long pagesLeft) {
        Invariant.check(stopCondition == null, "asked again after the end: %s", stopCondition);
        if (done == null) {
            Invariant.check(history.rounds() == 0, "rounds=%d expected=0", history.rounds());
            return Decision.NEXT_ROUND;
        }
        history.add(done, pagesLeft, bytesPerSecond);
        return switch (plan.mode()) {
            case STOP_THE_WORLD -> {
                stopCondition = "the guest stood still from the beginning";
                yield Decision.SUSPEND_FOR_GOOD;
            }
            case PRE_COPY -> afterRound(done, pagesLeft);
        };
    }

    private Decision afterRound(PreCopyRound done, long pagesLeft) {
        stopCondition = firstMet(aims);
        if (stopCondition != null) {
            return plan.settles() && pagesLeft * pageBytes <= MAX_SETTLING_BYTES
                    ? Decision.SUSPEND
                    : Decision.SUSPEND_FOR_GOOD;
        }
        stopCondition = firstMet(limits);
        if (stopCondition != null) {
            return switch (plan.unconverged()) {
                case STOP, AUTO_CONVERGE -> Decision.SUSPEND_FOR_GOOD;
                case ABORT -> Decision.ABORT;
            };
        }
        bytesPerSecond = plan.rate().next(history.dirtiedBytesPerSecond());
        if (plan.unconverged() == Unconverged.AUTO_CONVERGE && gainedTooLittle(done, pagesLeft)) {
            slowDown();
        }
        return Decision.NEXT_ROUND;
    }

    private @Nullable String firstMet(List<StopCondition> conditions) {
        for (StopCondition condition : conditions) {
            String met = condition.met(history);
            if (met != null) {
                return met;
            }
        }
        return null;
    }

    private static boolean gainedTooLittle(PreCopyRound done, long pagesLeft) {
        return pagesLeft * 100 > done.pagesSent() * SLOW_DOWN_PERCENT;
    }

    private void slowDown() {
        if (heldPercent < MAX_HELD_PERCENT) {
            heldPercent =
                    heldPercent == 0 ? FIRST_HELD_PERCENT : Math.min(MAX_HELD_PERCENT, heldPercent + HELD_STEP_PERCENT);
            history.guestSlowsDown();
        }
    }

    @Override
    public long bytesPerSecond() {
        return bytesPerSecond;
    }

    @Override
    public int heldPercent() {
        return heldPercent;
    }

    /** What ended the rounds, or made the migration be given up, in words; null: nothing yet. */
    public @Nullable String stopCondition() {
        return stopCondition;
    }
}
