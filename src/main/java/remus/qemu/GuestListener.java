package remus.qemu;

/** Learns what becomes of a {@link RunningGuest}, on the thread that polls it. */
public interface GuestListener {
    /** The guest has stopped: it runs no more, its frames are in the NIC sockets, its disk requests are answered. */
    void suspended();

    /** Its device state is saved; to be read by {@link DeviceState#readInto} before the guest is suspended again. */
    void saved(DeviceState state);

    /** The guest runs again. */
    void resumed();

    /**
     * The guest has ended; it does not run again by {@code resume}.
     *
     * @param reason QEMU's ShutdownCause, such as {@code guest-shutdown} or {@code host-qmp-quit}
     * @param byGuest whether the guest asked for it itself
     */
    void guestShutdown(String reason, boolean byGuest);

    /** The guest restarts, and runs on. */
    void guestReset(boolean byGuest);

    /** The guest's kernel reports that it has crashed. */
    void guestPanicked();

    /** QEMU is gone, silent, or refused to go on; said once, and nothing else comes after it. */
    void failed(QmpException cause);
}
