package remus.simulation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** The real protocol code under random faults: a failure prints its seed and what led to it. */
class SimulationTest {
    private static final int SEEDS = 300;

    @Test
    void noSeedBreaksARule() {
        SimulationRun run = new SimulationRun(System.out);
        for (long seed = 1; seed <= SEEDS; seed++) {
            run.seed(seed);
        }
        System.out.println("simulation: " + run.totals());
        assertEquals(0, run.totals().violations);
        assertTrue(run.totals().takeovers > SEEDS / 4, "too little happens for a proof: " + run.totals());
    }

    @Test
    void theSameSeedGivesTheSameRun() {
        World.Figures once = new World(7, new Sabotage()).run();
        World.Figures again = new World(7, new Sabotage()).run();
        assertEquals(once.steps, again.steps);
        assertEquals(once.answered, again.answered);
    }
}
