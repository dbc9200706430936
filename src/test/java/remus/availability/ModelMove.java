package remus.availability;

/** What can happen next in a {@link ModelWorld}: one step, chosen by whoever explores it. */
sealed interface ModelMove {
    /** The arbiter takes up the request at {@code index}, however late. */
    record Arbitrate(int index) implements ModelMove {}

    /** Its reply reaches the host. */
    record Reply(int index) implements ModelMove {}

    /** The host gives up waiting for a reply; the request may still land. */
    record LoseReply(int index) implements ModelMove {}

    /** The host takes the message at {@code index} from its socket. */
    record Deliver(int to, int index) implements ModelMove {}

    /** The guest runs for a while and sends a frame. */
    record Run(int host) implements ModelMove {}

    /** A checkpoint is taken and sent. */
    record Seal(int host) implements ModelMove {}

    record Protect(int host) implements ModelMove {}

    record Unprotect(int host) implements ModelMove {}

    record Reconnect(int host) implements ModelMove {}

    record Retry(int host) implements ModelMove {}

    record ActivationOverdue(int host) implements ModelMove {}

    record Loaded(int host) implements ModelMove {}

    record LoadFails(int host) implements ModelMove {}

    /** The primary doubts its backup. */
    record SuspectBackup(int host) implements ModelMove {}

    /** The backup doubts its primary. */
    record SuspectPrimary(int host) implements ModelMove {}

    /** An operator fences the primary and then does no more. */
    record Fence(int host) implements ModelMove {}

    record GuestDies(int host) implements ModelMove {}

    record Crash(int host) implements ModelMove {}

    /** A crashed host's daemon runs again, with nothing. */
    record Boot(int host) implements ModelMove {}

    /** The daemon is killed and started again; the guest lives. */
    record RestartDaemon(int host) implements ModelMove {}

    /** The daemon stops for longer than the detection time. */
    record Pause(int host) implements ModelMove {}

    record Wake(int host) implements ModelMove {}

    /** What {@code from} sends is lost from now on. */
    record Cut(int from) implements ModelMove {}

    record Heal(int from) implements ModelMove {}
}
