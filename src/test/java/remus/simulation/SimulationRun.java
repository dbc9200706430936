package remus.simulation;

import java.io.PrintStream;
import java.util.Locale;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Runs worlds, one seed each, and says what a person needs to know of one that broke a rule. */
final class SimulationRun {
    /** What came of a number of seeds. */
    static final class Totals {
        int seeds;
        int violations;
        int lostAll;
        long steps;
        long answered;
        long terms;
        long sessions;
        long takeovers;

        private void add(World.Figures figures) {
            steps += figures.steps;
            answered += figures.answered;
            terms += figures.terms;
            sessions += figures.sessions;
            takeovers += figures.takeovers;
            lostAll += figures.lostAll ? 1 : 0;
        }

        @Override
        public String toString() {
            return String.format(
                    Locale.ROOT,
                    "%d seeds, %d violations; on average %d steps, %d answers, %d terms, %d sessions;"
                            + " %d takeovers begun, both copies lost %d times",
                    seeds,
                    violations,
                    steps / Math.max(1, seeds),
                    answered / Math.max(1, seeds),
                    terms / Math.max(1, seeds),
                    sessions / Math.max(1, seeds),
                    takeovers,
                    lostAll);
        }
    }

    private final PrintStream out;
    private final Totals totals = new Totals();

    SimulationRun(PrintStream out) {
        this.out = out;
    }

    Totals totals() {
        return totals;
    }

    /** Runs one seed of the real thing; a violation is printed and returned. */
    @Nullable
    Violation seed(long seed) {
        World world = new World(seed, new Sabotage());
        totals.seeds++;
        try {
            totals.add(world.run());
            return null;
        } catch (Violation e) {
            totals.violations++;
            out.println("seed " + seed + " breaks " + e.getMessage());
            out.println("repeat it by: ./build simulate --seeds 1 --seed " + seed);
            out.println("the last that happened:");
            world.scheduler().trace().forEach(line -> out.println("  " + line));
            return e;
        }
    }

    /** The first of {@code limit} seeds from 1 on in which a world with a deliberate fault breaks a rule, or null. */
    static @Nullable Caught firstCaught(Supplier<? extends Sabotage> fault, int limit) {
        for (long seed = 1; seed <= limit; seed++) {
            try {
                new World(seed, fault.get()).run();
            } catch (Violation e) {
                return new Caught(seed, e);
            }
        }
        return null;
    }

    /** A deliberate fault that was found. */
    record Caught(long seed, Violation violation) {}
}
