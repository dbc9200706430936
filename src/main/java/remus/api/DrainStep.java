package remus.api;

/**
 * One VM of a host that is being drained.
 *
 * @param role what the host is, or was, to it
 * @param text where it went and whether it is protected there, what it waits for, or why it stays and what to do about that
 */
public record DrainStep(String vm, VmRole role, DrainStage stage, String text) {}
