package remus.api;

import org.jspecify.annotations.Nullable;

/**
 * One disk of a VM.
 *
 * @param pendingBytes data of writes, on the primary those whose checkpoint is not committed yet, on the backup those that
 *     have come and are not in its image yet
 * @param syncedPercent 0 to 100: how much of the image the backup has; null on a backup that has no whole checkpoint yet,
 *     for only the primary can tell
 */
public record DiskStatus(
        String name, long pendingBytes, @Nullable Integer syncedPercent) {}
