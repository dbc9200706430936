package remus.bench;

import java.util.List;

/**
 * The writable working set of one guest, in pages of 4 KiB.
 *
 * @param workload idle or dirty-N: N pages are written every 25 ms by the guest's clock
 * @param intervalMillis how often the written pages were collected
 * @param seconds how long, as measured
 * @param pagesPerIntervalP50 pages written within an interval, each counted once
 * @param pagesPerSecondP50 the same, by the median interval's length: the rate of a round of pre-copy that short
 * @param distinctPages pages written at least once in all that time
 * @param windows how the number of distinct pages grows with the time
 * @param pagesOverTime of all intervals, in their order
 */
public record WwsCase(
        String workload,
        long memoryBytes,
        long intervalMillis,
        double seconds,
        long pagesPerIntervalMin,
        long pagesPerIntervalP50,
        long pagesPerIntervalP99,
        long pagesPerIntervalMax,
        long pagesPerSecondP50,
        long distinctPages,
        List<Window> windows,
        List<Long> pagesOverTime) {
    public WwsCase {
        windows = List.copyOf(windows);
        pagesOverTime = List.copyOf(pagesOverTime);
    }

    /**
     * Distinct pages written within a time of this length. Such times follow each other without a gap.
     *
     * @param windowMillis as asked
     * @param windowMillisMeasured median of how long they were
     * @param count how many; 0 where the guest was watched for less
     * @param percentOfMemory the median's part of the guest's memory
     */
    public record Window(
            long windowMillis,
            double windowMillisMeasured,
            int count,
            long pagesMin,
            long pagesP50,
            long pagesMax,
            double percentOfMemory) {}
}
