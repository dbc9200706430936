package remus.api;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A VM's migration from this host, while it goes on and afterwards, until the next one.
 *
 * @param from this host's name
 * @param to the destination's address
 * @param plan what was going to happen, in sentences, said before it began
 * @param stopCondition what ended the rounds, in words; null: nothing yet
 * @param reason why it failed, or what is going on
 * @param memoryBytes size of guest RAM
 * @param copiedDiskBytes of the disks, sent to the destination
 * @param settling null: the first checkpoint is the last one, or there was none yet
 * @param stopAndCopyPages copied while the guest stood still, before it ran at the destination
 * @param bytesSent page data and device state, all rounds, checkpoints and the stop-and-copy phase together
 * @param setUpMicros until the destination was ready for memory
 * @param totalMicros from then until the VM ran at the destination, or until now
 * @param downtimeMicros for how long the guest stood still; null: it did not yet
 * @param outputMicros from the same moment until what the guest sends left at the destination; null: as there
 * @param memoryEqual whether the memory of both hosts was compared and equal; null: not compared
 */
public record MigrationStatus(
        String vm,
        String from,
        String to,
        MigrationMode mode,
        MigrationStage stage,
        List<String> plan,
        List<MigrationRound> rounds,
        @Nullable String stopCondition,
        @Nullable String reason,
        long memoryBytes,
        long copiedDiskBytes,
        @Nullable MigrationSettling settling,
        long stopAndCopyPages,
        long bytesSent,
        long setUpMicros,
        long totalMicros,
        @Nullable Long downtimeMicros,
        @Nullable Long outputMicros,
        @Nullable Boolean memoryEqual) {}
