package remus.cli;

import remus.api.CheckpointStatus;

/**
 * What one kill of a demo came to. The client's stall is what it felt: from the kill to its next answer. The backup's
 * events divide it, by the wall clock that all of the demo shares.
 *
 * @param number from 1 on
 * @param activated whether the backup took over at all; the times are 0 otherwise
 * @param detectionMillis from the kill until the backup began to take over
 * @param activationMillis from then until the VM ran on the backup
 * @param firstAnswerMillis from then until the client had its next answer
 * @param stallMillis all of it, measured by the client alone
 * @param checkpoints of the session that ended with the kill
 */
record DemoRound(
        int number,
        KillKind kill,
        boolean activated,
        long detectionMillis,
        long activationMillis,
        long firstAnswerMillis,
        long stallMillis,
        CheckpointStatus checkpoints) {

    /**
     * A round in which the backup took over.
     *
     * @param takeOver as the backup told it
     */
    static DemoRound failedOver(
            int number,
            KillKind kill,
            Moment killed,
            TakeOver takeOver,
            AnswerTimes.Stall stall,
            CheckpointStatus checkpoints) {
        long answered = killed.wallMillisAt(stall.answerNanos());
        return new DemoRound(
                number,
                kill,
                true,
                Math.max(0, takeOver.activating().toEpochMilli() - killed.wallMillis()),
                Math.max(
                        0,
                        takeOver.running().toEpochMilli()
                                - takeOver.activating().toEpochMilli()),
                Math.max(0, answered - takeOver.running().toEpochMilli()),
                Math.round(stall.millis()),
                checkpoints);
    }

    /** A round in which nobody took over. */
    static DemoRound withoutFailover(int number, KillKind kill, CheckpointStatus checkpoints) {
        return new DemoRound(number, kill, false, 0, 0, 0, 0, checkpoints);
    }
}
