package remus.host;

import remus.base.ByteSize;
import remus.network.GuestNetwork;
import remus.wire.Hello;

/**
 * Memory that a VM takes on a host, for admission: estimates, so that a host says no before it has to.
 *
 * @param guest its RAM, on tmpfs
 * @param staging what the daemon keeps of checkpoints that are on their way
 * @param qemu what QEMU takes besides
 */
record MemoryNeed(ByteSize guest, ByteSize staging, ByteSize qemu) {
    private static final ByteSize QEMU = new ByteSize(GuestRoom.QEMU_OVERHEAD_BYTES);

    /** Of guest memory: the pages of the checkpoint that is received and of the last whole one. */
    private static final int PAGES_DIVISOR = 4;

    /** Writes of whole checkpoints that wait for the images, beyond which none is acknowledged. */
    private static final long DISK_BYTES = 64L << 20;

    static MemoryNeed ofRunning(ByteSize guest) {
        return new MemoryNeed(guest, new ByteSize(0), QEMU);
    }

    static MemoryNeed ofStandby(Hello hello) {
        long staging = hello.memoryBytes() / PAGES_DIVISOR
                + GuestNetwork.OUTPUT_LIMIT_BYTES
                + StandbyCopy.INBOUND_LIMIT_BYTES
                + (hello.disks().isEmpty() ? 0 : DISK_BYTES);
        return new MemoryNeed(new ByteSize(hello.memoryBytes()), new ByteSize(staging), QEMU);
    }

    ByteSize total() {
        return new ByteSize(guest.bytes() + staging.bytes() + qemu.bytes());
    }

    /** How the total comes about. */
    @Override
    public String toString() {
        return staging.bytes() == 0
                ? "%s for the guest and %s for QEMU".formatted(guest, qemu)
                : "%s for the guest, %s for staging and %s for QEMU".formatted(guest, staging, qemu);
    }
}
