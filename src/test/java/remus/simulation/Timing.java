package remus.simulation;

import static remus.simulation.Scheduler.MILLISECOND;

import remus.availability.OwnershipAgent;

/**
 * The times of one world, all the same on both hosts, as drawn from its seed.
 *
 * @param frameGapNanos most that lies between two frames on a connection: how fast the network is
 */
record Timing(
        long intervalNanos,
        long detectNanos,
        long acknowledgementNanos,
        long frameGapNanos,
        OwnershipAgent.Pauses pauses) {
    static Timing drawn(Scheduler scheduler) {
        long detect = scheduler.span(60 * MILLISECOND, 200 * MILLISECOND);
        return new Timing(
                scheduler.span(15 * MILLISECOND, 50 * MILLISECOND),
                detect,
                scheduler.span(2, 4) * detect,
                scheduler.chance(0.5) ? MILLISECOND / 10 : scheduler.span(MILLISECOND / 5, 4 * MILLISECOND),
                new OwnershipAgent.Pauses(
                        scheduler.span(10 * MILLISECOND, 60 * MILLISECOND),
                        scheduler.span(200 * MILLISECOND, 800 * MILLISECOND)));
    }
}
