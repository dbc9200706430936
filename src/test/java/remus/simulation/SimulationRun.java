package remus.simulation;

import java.io.PrintStream;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Runs worlds, one seed each, and says what a person needs to know of one that broke a rule. */
final class SimulationRun {
    /** Within so many seeds each deliberate fault has to be found. */
    static final int FAULT_SEEDS = 1000;

    /** What came of a number of seeds. */
    static final class Totals {
        int seeds;
        int violations;
        int faults;
        int faultsCaught;
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

        /** For people. */
        String text() {
            int divisor = Math.max(1, seeds);
            return String.format(
                    Locale.ROOT,
                    "%d seeds: on average %d steps, %d answers to the client, %d terms, %d sessions; in all %d takeovers"
                            + " begun; %d times no copy was left and the VM was started anew",
                    seeds,
                    steps / divisor,
                    answered / divisor,
                    terms / divisor,
                    sessions / divisor,
                    takeovers,
                    lostAll);
        }

        /** The last line of a run. */
        @Override
        public String toString() {
            return "seeds %d, violations %d, faults caught %d of %d".formatted(seeds, violations, faultsCaught, faults);
        }

        boolean isGood() {
            return violations == 0 && faultsCaught == faults;
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
        return world(seed, new World(seed, new Sabotage()));
    }

    @Nullable
    Violation world(long seed, World world) {
        totals.seeds++;
        try {
            totals.add(world.run());
            return null;
        } catch (Violation e) {
            totals.violations++;
            out.println("seed " + seed + " breaks " + e.getMessage());
            out.println("the last that happened:");
            world.scheduler().trace().forEach(line -> out.println("  " + line));
            out.println("repeat it by: ./build simulate --seeds 1 --seed " + seed);
            return e;
        }
    }

    /** Looks for seeds that find each deliberate fault, and prints the table. */
    void faults() {
        out.printf("%-56s %-18s %s%n", "deliberate fault", "caught by", "seeds needed");
        for (DeliberateFault fault : DeliberateFault.all()) {
            fault(fault);
        }
    }

    /** Whether a world with {@code fault} breaks one of its rules within {@link #FAULT_SEEDS} seeds. */
    boolean fault(DeliberateFault fault) {
        totals.faults++;
        for (long seed = 1; seed <= FAULT_SEEDS; seed++) {
            try {
                new World(seed, fault.sabotage().get()).run();
            } catch (Violation e) {
                boolean expected = fault.breaks().contains(e.rule());
                totals.faultsCaught += expected ? 1 : 0;
                out.printf("%-56s %-18s %d%n", fault.name(), e.rule(), seed);
                if (!expected) {
                    out.println("  expected " + fault.breaks() + ", but: " + e.getMessage());
                }
                return expected;
            }
        }
        out.printf("%-56s %-18s more than %d%n", fault.name(), "NOTHING", FAULT_SEEDS);
        return false;
    }
}
