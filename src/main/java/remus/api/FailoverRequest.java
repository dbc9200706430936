package remus.api;

/**
 * Asks the backup to activate a VM now.
 *
 * @param force does not fence a reachable primary first
 */
public record FailoverRequest(boolean force) {}
