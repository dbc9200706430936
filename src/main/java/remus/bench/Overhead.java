package remus.bench;

/** How much longer the same work takes. */
final class Overhead {
    private Overhead() {}

    /**
     * In percent, of each round.
     *
     * @param times how long the work took, round by round
     * @param without how long without what makes it take longer, in the same rounds
     */
    static Spread of(double[] times, double[] without) {
        if (times.length != without.length) {
            throw new IllegalStateException("%d rounds against %d".formatted(times.length, without.length));
        }
        double[] percent = new double[times.length];
        for (int round = 0; round < percent.length; round++) {
            percent[round] = (times[round] / without[round] - 1) * 100;
        }
        return Spread.of(percent);
    }
}
