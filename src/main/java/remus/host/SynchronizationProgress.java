package remus.host;

import remus.base.ByteSize;

/**
 * How far the first full copy of a VM is: what a primary shows as the reason of {@code SYNCHRONIZING}.
 *
 * @param doneBytes sent so far; pages sent again count once
 * @param totalBytes the guest's memory
 * @param bytesPerSecond over the last seconds; 0 when not known yet
 */
public record SynchronizationProgress(long doneBytes, long totalBytes, long bytesPerSecond) {
    /** One line for people: {@code copying memory: 43 % of 256 MiB, 85 MiB/s}. */
    @Override
    public String toString() {
        long percent = totalBytes == 0 ? 0 : Math.min(100, doneBytes * 100 / totalBytes);
        String rate = bytesPerSecond == 0 ? "" : ", " + new ByteSize(bytesPerSecond) + "/s";
        return "copying memory: %d %% of %s%s".formatted(percent, new ByteSize(totalBytes), rate);
    }
}
