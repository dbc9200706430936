package remus.api;

import org.jspecify.annotations.Nullable;

/**
 * Asks the primary to protect a VM. What is null comes from the VM's definition, and where that is silent too, from
 * the defaults.
 *
 * @param backup {@code ADDR:PORT} of the backup's replication port, or the name of a peer
 * @param interval length of an epoch with its unit, such as {@code 25ms}
 * @param maxPauseShare the part of the time that pauses may take where epochs end early because output waits, such as
 *     {@code 20%}; {@code 0%}: all epochs have the length of the interval
 * @param detect how long checkpoints may stop coming before the backup takes over, such as {@code 300ms}
 * @param outputCommit false lets output go at once: faster, and no longer safe
 * @param verifyEvery compare the RAM digests of both sides every so many commits; 0 never
 * @param whenAlone what the primary does without its backup
 * @param syncRate most disk data that is copied per second while the backup is synchronized, such as {@code 50MiB};
 *     {@code 0B}: as fast as it goes
 * @param standby whether a QEMU waits on the backup
 * @param compress whether pages are coded on their way to it
 */
public record ProtectRequest(
        @Nullable String backup,
        @Nullable String interval,
        @Nullable String maxPauseShare,
        @Nullable String detect,
        @Nullable Boolean outputCommit,
        @Nullable Long verifyEvery,
        @Nullable WhenAlone whenAlone,
        @Nullable String syncRate,
        @Nullable StandbyMode standby,
        @Nullable CompressMode compress) {}
