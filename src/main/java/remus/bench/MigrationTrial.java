package remus.bench;

import org.jspecify.annotations.Nullable;

/**
 * What one migration has come to.
 *
 * @param figures null where it did not come to its end
 * @param problem why it did not, or why the guest does not run on; null: neither
 * @param lostPages pages of the destination that were not as the source had left them; where only digests were
 *     compared, 1 stands for at least one; null: not compared
 * @param targetRan whether the guest went on working at the destination; null where there was nothing to run
 */
public record MigrationTrial(
        @Nullable Figures figures,
        @Nullable String problem,
        @Nullable Long lostPages,
        @Nullable Boolean targetRan) {

    /**
     * @param totalMillis from the beginning until the end, as the system itself tells it
     * @param downtimeMillis as the system itself tells it
     * @param standstillMillis from the stop at the source until the destination could run, seen from outside; null:
     *     not seen
     * @param clientStallMillis longest time without an answer that a client had; null: not measured
     * @param bytesSent of memory and devices
     * @param rounds how often what was written was looked for
     */
    public record Figures(
            double totalMillis,
            double downtimeMillis,
            @Nullable Double standstillMillis,
            @Nullable Double clientStallMillis,
            long bytesSent,
            long rounds) {}

    /** It did not come to its end. */
    public static MigrationTrial unfinished(String problem) {
        return new MigrationTrial(null, problem, null, null);
    }
}
