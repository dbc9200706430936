package remus.host;

import org.jspecify.annotations.Nullable;
import remus.base.CloseStack;
import remus.disk.NbdServer;
import remus.network.GuestNetwork;
import remus.qemu.RunningGuest;

/**
 * All that a running VM consists of on its host. Whoever holds it owns it.
 *
 * @param server through which QEMU reaches the disks, or null without any
 */
record VmParts(
        VmHandle handle,
        RunningGuest guest,
        GuestNetwork network,
        VmDisks disks,
        @Nullable NbdServer server) implements AutoCloseable {
    /** Lets go of QEMU, which runs on: its network and its disks are gone until somebody brings them back. */
    void leave() {
        try (CloseStack owned = new CloseStack()) {
            owned.push(disks);
            // After the server: a request that waits gets no answer rather than an error, and QEMU asks again.
            owned.push(disks::shutDown);
            if (server != null) {
                owned.push(server);
            }
            owned.push(guest::leave);
            owned.push(network);
        }
    }

    /** Kills QEMU if it still runs, then closes what it used. */
    @Override
    public void close() {
        try (CloseStack owned = new CloseStack()) {
            owned.push(handle);
            owned.push(disks);
            if (server != null) {
                owned.push(server);
            }
            // Before the server, whose workers may be waiting for the disks.
            owned.push(disks::shutDown);
            owned.push(guest);
            owned.push(network);
        }
    }
}
