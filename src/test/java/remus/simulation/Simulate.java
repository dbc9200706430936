package remus.simulation;

/** {@code ./build simulate}: any number of seeds, then the table of deliberate faults. */
final class Simulate {
    private static final int PROGRESS_SEEDS = 1000;
    private static final int MAX_SHOWN = 5;

    private Simulate() {}

    /** @param args the number of seeds, and the first of them */
    public static void main(String[] args) {
        long count = Long.parseLong(args[0]);
        long first = Long.parseLong(args[1]);
        SimulationRun run = new SimulationRun(System.out);
        for (long seed = first; seed < first + count && run.totals().violations < MAX_SHOWN; seed++) {
            run.seed(seed);
            if (run.totals().seeds % PROGRESS_SEEDS == 0 && run.totals().seeds < count) {
                System.out.println(run.totals().seeds + " seeds, " + run.totals().violations + " violations");
            }
        }
        System.out.println(run.totals().text());
        run.faults();
        System.out.println(run.totals());
        System.exit(run.totals().isGood() ? 0 : 1);
    }
}
