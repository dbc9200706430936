package remus.disk;

import java.time.Duration;

/**
 * How far the synchronization of a VM's disks has got; all figures but the first are of all its disks together.
 *
 * @param disk name of the disk under way
 * @param bytesDone seen so far: sent, or found to need no sending
 * @param bytesTotal size of all disks
 * @param bytesSent data sent to the backup
 * @param bytesSkipped done without sending data: holes, zeros, and what the backup has already
 * @param bytesPerSecond rate of {@code bytesDone} of late
 * @param remaining at that rate; zero while it is not known
 */
public record SyncProgress(
        String disk,
        long bytesDone,
        long bytesTotal,
        long bytesSent,
        long bytesSkipped,
        long bytesPerSecond,
        Duration remaining) {}
