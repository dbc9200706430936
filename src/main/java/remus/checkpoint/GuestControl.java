package remus.checkpoint;

/**
 * Stops, saves and continues the guest. Each call returns at once; its outcome comes to the engine later, on the
 * agent's thread, as {@code guestSuspended}, {@code guestSaved} or {@code guestResumed}. That QEMU has failed is for the
 * session's owner, who ends the engine.
 */
public interface GuestControl {
    /** Asks QEMU to stop the guest and then to save its device state, without waiting in between. */
    void suspendAndSave();

    /** Asks QEMU to let the guest run on; one that is kept still counts as running on all the same. */
    void resume();

    /**
     * Has the guest stand still while its memory is copied, or lets it go; nothing is told when it has stopped. One that
     * stands still for another reason goes on doing so. A hold that ends within a pause leaves the guest to that.
     */
    default void hold(boolean held) {}

    /** Whether the guest is kept paused by command, so that {@link #resume} leaves it as it is. */
    default boolean staysStill() {
        return false;
    }

    /** How far the guest's clock is behind now because it stood still, or stands still. */
    default long clockLagNanos() {
        return 0;
    }
}
