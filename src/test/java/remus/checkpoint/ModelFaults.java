package remus.checkpoint;

import java.util.Random;

/** What a {@link ModelWorld} does wrong, if anything: to prove that its checks see it. */
final class ModelFaults implements ModelChannel.Faults, ModelDisks.Faults {
    /** A part that now and then breaks a rule, to prove that the checks see it. */
    enum Sabotage {
        NONE,
        ONE_FRAME_LEAVES_EARLY,
        ONE_DIRTY_PAGE_IS_SKIPPED,
        ONE_LATE_WRITE_IS_SKIPPED,
        ONE_FRAME_IS_NOT_MIRRORED,
        ACKNOWLEDGED_TOO_EARLY,
        ONE_DISK_WRITE_IS_NOT_FORWARDED,
        ONE_DISK_WRITE_IS_LOST,
        CHECKPOINT_ENDS_BEFORE_ITS_DISK_WRITES,
        DISK_WRITES_ARE_NOT_SENT_AGAIN,
        DISK_WRITES_OF_A_LATER_EPOCH_ARE_APPLIED,
        WELCOME_NAMES_WHAT_MAY_NOT_BE_ACKNOWLEDGED,
        COMMITTED_BEFORE_THE_DISK_HAS_IT
    }

    private final Random random;
    private final Sabotage sabotage;

    ModelFaults(Random random, Sabotage sabotage) {
        this.random = random;
        this.sabotage = sabotage;
    }

    boolean is(Sabotage what) {
        return sabotage == what;
    }

    /** Whether it is to happen this time. */
    boolean breaks(Sabotage what) {
        return is(what) && random.nextInt(3) == 0;
    }

    @Override
    public boolean acknowledgesTooEarly() {
        return is(Sabotage.ACKNOWLEDGED_TOO_EARLY);
    }

    @Override
    public boolean endsBeforeItsWrites() {
        return is(Sabotage.CHECKPOINT_ENDS_BEFORE_ITS_DISK_WRITES);
    }

    @Override
    public boolean forgetsToSendWritesAgain() {
        return is(Sabotage.DISK_WRITES_ARE_NOT_SENT_AGAIN);
    }

    @Override
    public boolean welcomesWithLastWhole() {
        return is(Sabotage.WELCOME_NAMES_WHAT_MAY_NOT_BE_ACKNOWLEDGED);
    }

    @Override
    public boolean skipsWrite() {
        return breaks(Sabotage.ONE_DISK_WRITE_IS_NOT_FORWARDED);
    }

    @Override
    public boolean losesWrite() {
        return breaks(Sabotage.ONE_DISK_WRITE_IS_LOST);
    }

    @Override
    public boolean commitsTooEarly() {
        return is(Sabotage.COMMITTED_BEFORE_THE_DISK_HAS_IT);
    }
}
