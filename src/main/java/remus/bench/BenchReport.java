package remus.bench;

import java.util.List;

/**
 * What a bench prints with {@code --json}.
 *
 * @param bench its name
 * @param date the day, as in ISO 8601
 * @param runs one record for each measured case: its parameters, then its figures
 */
public record BenchReport<C>(String bench, String date, BenchMachine machine, List<C> runs) {
    public BenchReport {
        runs = List.copyOf(runs);
    }
}
