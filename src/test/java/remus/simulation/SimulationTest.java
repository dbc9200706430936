package remus.simulation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The real protocol code under random faults. This is the short form: {@code ./build simulate} runs as many seeds as wanted,
 * and each build a thousand.
 */
class SimulationTest {
    private static final int SEEDS = 100;

    @Test
    void noSeedBreaksARule() {
        SimulationRun run = new SimulationRun(System.out);
        for (long seed = 1; seed <= SEEDS; seed++) {
            run.seed(seed);
        }
        System.out.println("simulation, " + run.totals().text());
        assertEquals(0, run.totals().violations);
        assertTrue(
                run.totals().takeovers > SEEDS / 4,
                "too little happens for a proof: " + run.totals().text());
    }

    static List<DeliberateFault> faults() {
        return DeliberateFault.all();
    }

    @ParameterizedTest
    @MethodSource("faults")
    void aDeliberateFaultIsCaughtByTheRuleThatItBreaks(DeliberateFault fault) {
        assertTrue(new SimulationRun(System.out).fault(fault), fault.name());
    }

    @Test
    void theSameSeedGivesTheSameRun() {
        World.Figures once = new World(7, new Sabotage()).run();
        World.Figures again = new World(7, new Sabotage()).run();
        assertEquals(once.steps, again.steps);
        assertEquals(once.answered, again.answered);
    }

    @Test
    void aViolationTellsItsSeedAndHowToRepeatItAndWhatLedToIt() {
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        SimulationRun run = new SimulationRun(new PrintStream(printed, true, StandardCharsets.UTF_8));
        Sabotage sabotage = DeliberateFault.all().getFirst().sabotage().get();
        assertNotNull(run.world(4, new World(4, sabotage)), "seed 4 finds no release before the acknowledgement");
        String text = printed.toString(StandardCharsets.UTF_8);
        assertTrue(text.contains("seed 4 breaks R2"), text);
        assertTrue(text.contains("./build simulate --seeds 1 --seed 4"), text);
        assertTrue(text.contains("begins session"), text);
    }
}
