package remus.api;

/**
 * One disk of a VM.
 *
 * @param pendingBytes writes whose checkpoint is not committed yet
 * @param syncedPercent 0 to 100: how much of the image the backup has
 */
public record DiskStatus(String name, long pendingBytes, int syncedPercent) {}
