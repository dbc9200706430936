package remus.api;

import org.jspecify.annotations.Nullable;

/**
 * Asks the host that runs a VM to move it to another one. What is null is as the defaults say.
 *
 * @param to {@code ADDR:PORT} of the destination's replication port, or the name of a peer
 * @param mode default: pre-copy
 * @param maxDowntime the guest is suspended as soon as what is left can be expected to arrive within this, such as {@code 30ms}
 * @param maxRounds most rounds of pre-copy
 * @param settledRounds the guest is suspended when the number of pages it writes has not changed for so many rounds
 * @param settledTolerancePercent by how much it may differ for that
 * @param untilClean whether the guest is suspended, by that condition too, as soon as a round leaves no page
 * @param maxData most page data sent before the guest is suspended, such as {@code 4GiB}
 * @param whenUnconverged what follows when rounds or data are used up
 * @param minRate page data per second of the first round, such as {@code 50MiB}
 * @param maxRate most page data per second; {@code 0B}: no limit
 * @param rateStep what is added to the rate at which the guest wrote in the last round
 * @param sharedDisks whether both hosts see the same images, which are then not copied
 * @param verify whether both hosts compare the whole memory before the guest goes on
 */
public record MigrateRequest(
        @Nullable String to,
        @Nullable MigrationMode mode,
        @Nullable String maxDowntime,
        @Nullable Integer maxRounds,
        @Nullable Integer settledRounds,
        @Nullable Integer settledTolerancePercent,
        @Nullable Boolean untilClean,
        @Nullable String maxData,
        @Nullable WhenUnconverged whenUnconverged,
        @Nullable String minRate,
        @Nullable String maxRate,
        @Nullable String rateStep,
        @Nullable Boolean sharedDisks,
        @Nullable Boolean verify) {}
