package remus.host;

/**
 * A planned change of roles, as the host sees it that takes the VM over. Its clock and the other host's are never compared:
 * the former primary says for how long the guest has stood still, and the rest is measured here.
 *
 * @param pausedNanos for how long it had stood still there when the order was sent
 * @param orderedNanos when the order came, by this host's clock
 */
record Switchover(long pausedNanos, long orderedNanos) {
    /**
     * In words, for events and for the former primary.
     *
     * @param releasedNanos when output began to leave here
     */
    String figures(String from, long releasedNanos) {
        long micros = (pausedNanos + releasedNanos - orderedNanos) / 1_000;
        return "switched over from %s: %d.%03d ms from the pause there to output here"
                .formatted(from, micros / 1_000, micros % 1_000);
    }
}
