package remus.simulation;

import java.util.List;
import java.util.Set;
import java.util.function.Supplier;

/**
 * A fault that is switched on by itself, to prove that the simulator finds it.
 *
 * @param sabotage makes what breaks one world
 * @param breaks the rules by which it may be caught
 */
record DeliberateFault(String name, Supplier<? extends Sabotage> sabotage, Set<Rule> breaks) {
    DeliberateFault {
        breaks = Set.copyOf(breaks);
    }

    private static DeliberateFault of(String name, Supplier<? extends Sabotage> sabotage, Rule... breaks) {
        return new DeliberateFault(name, sabotage, Set.of(breaks));
    }

    static List<DeliberateFault> all() {
        return List.of(
                of("release before acknowledgement", OutputFaults.ReleasesWhatIsNotAcknowledged::new, Rule.R2),
                of(
                        "hold only from the first acknowledgement on",
                        OutputFaults.HoldsTooLate::new,
                        Rule.R8,
                        Rule.OWNER,
                        Rule.SEEN),
                of("release before alone", OutputFaults.ReleasesBeforeAlone::new, Rule.R2),
                of(
                        "acknowledge before the disk writes are there",
                        CheckpointFaults.EndsBeforeItsDiskWrites::new,
                        Rule.DISK),
                of("apply disk writes of a later epoch", CheckpointFaults.MixesDiskWrites::new, Rule.DISK, Rule.WHOLE),
                of("apply a partial checkpoint", CheckpointFaults.AppliesPartial::new, Rule.R3, Rule.DISK),
                of("forget the pages of a failed transfer", CheckpointFaults.ForgetsPages::new, Rule.R3),
                of("build on what was sent before a break", CheckpointFaults.KeepsBase::new, Rule.R3, Rule.WHOLE),
                of("trim inbound too early", CheckpointFaults.TrimsTooEarly::new, Rule.INBOUND),
                // LIVE: a standby that fails to load is told by the record that it never took over, and drops its
                // image.
                of("activate without the record", RecordFaults.ActivatesUnasked::new, Rule.R2, Rule.OWNER, Rule.LIVE),
                of("go alone without the record", RecordFaults.GoesAloneUnasked::new, Rule.R2, Rule.R8, Rule.OWNER),
                of(
                        "a stale backup activates after its primary went alone",
                        RecordFaults.StaleBackupActivates::new,
                        Rule.R2, // of the primary that is alone, once the record names the other
                        Rule.R8,
                        Rule.OWNER,
                        Rule.SEEN),
                of("reuse a session's term", RecordFaults.ReusesTerm::new, Rule.TERM),
                of(
                        "take an unchanged record for a refusal",
                        RecordFaults.UnchangedMeansRefused::new,
                        Rule.GUARD,
                        Rule.R2,
                        Rule.R8),
                of("drop the image when the record is merely older", RecordFaults.DropsWhenOlder::new, Rule.LIVE),
                of(
                        "acknowledge while activating",
                        RecordFaults.AcknowledgesWhileActivating::new,
                        Rule.R3,
                        Rule.OWNER,
                        Rule.R8),
                // It goes on under a term that has been used: the next session's may have been, too.
                of("a restarted daemon trusts the old record", RecordFaults.TrustsOldRecord::new, Rule.R2, Rule.TERM),
                of("the loser kills its guest at once", RecordFaults.LoserKills::new, Rule.LIVE));
    }
}
