package remus.host;

import remus.api.StandbyMode;
import remus.base.ByteSize;
import remus.disk.StandbyDisks;
import remus.network.GuestNetwork;
import remus.wire.Hello;

/**
 * Memory that a VM takes on a host, for admission: estimates, so that a host says no before it has to.
 *
 * <p>A cold standby's QEMU needs its memory only in an activation, when no further checkpoint is received: then it gets what
 * the pages of checkpoints had, which are given back before it is started. So there is room for all of them at once.
 *
 * @param guest its RAM, on tmpfs
 * @param staging what the daemon keeps of checkpoints that are on their way
 * @param qemu what QEMU takes besides
 */
record MemoryNeed(ByteSize guest, ByteSize staging, ByteSize qemu) {
    private static final long QEMU_BYTES = GuestRoom.QEMU_OVERHEAD_BYTES;

    /** Of guest memory: the pages of the checkpoint that is received and of the last whole one. */
    private static final int PAGES_DIVISOR = 4;

    /** Output and input that an activation hands over. */
    private static final long FRAMES_BYTES = GuestNetwork.OUTPUT_LIMIT_BYTES + StandbyCopy.INBOUND_LIMIT_BYTES;

    static MemoryNeed ofRunning(ByteSize guest) {
        return new MemoryNeed(guest, new ByteSize(0), new ByteSize(QEMU_BYTES));
    }

    static MemoryNeed ofStandby(Hello hello, SharedDefinition definition) {
        int copiedDisks = definition.sharesDisks() ? 0 : hello.disks().size();
        return ofStandby(hello.memoryBytes(), copiedDisks, definition.standby());
    }

    static MemoryNeed ofStandby(long guestBytes, int disks, StandbyMode standby) {
        long pages = guestBytes / PAGES_DIVISOR;
        long others = FRAMES_BYTES + StandbyDisks.memoryBytes(disks);
        ByteSize guest = new ByteSize(guestBytes);
        return switch (standby) {
            case WARM -> new MemoryNeed(guest, new ByteSize(pages + others), new ByteSize(QEMU_BYTES));
            case COLD -> new MemoryNeed(guest, new ByteSize(Math.max(pages, QEMU_BYTES) + others), new ByteSize(0));
        };
    }

    /** Memory of the largest VM that needs no more than this as a primary. */
    static long largestRunning(long tmpfsBytes, long availableBytes) {
        return largest(tmpfsBytes, availableBytes - QEMU_BYTES);
    }

    /** Memory of the largest VM with a disk and a warm standby that needs no more than this on its backup. */
    static long largestStandby(long tmpfsBytes, long availableBytes) {
        return largest(tmpfsBytes, leftToGuest(availableBytes) / (PAGES_DIVISOR + 1) * PAGES_DIVISOR);
    }

    /** As {@link #largestStandby}, where each of the two checkpoints holds all pages. */
    static long largestBusyStandby(long tmpfsBytes, long availableBytes) {
        return largest(tmpfsBytes, leftToGuest(availableBytes) / 3);
    }

    /** What a standby with a disk leaves to its guest's memory and pages. */
    private static long leftToGuest(long availableBytes) {
        return availableBytes - QEMU_BYTES - FRAMES_BYTES - StandbyDisks.memoryBytes(1);
    }

    private static long largest(long tmpfsBytes, long bytes) {
        return Math.max(0, Math.min(tmpfsBytes, bytes));
    }

    ByteSize total() {
        return new ByteSize(guest.bytes() + staging.bytes() + qemu.bytes());
    }

    /** How the total comes about. */
    @Override
    public String toString() {
        if (staging.bytes() == 0) {
            return "%s for the guest and %s for QEMU".formatted(guest, qemu);
        }
        return qemu.bytes() == 0
                ? "%s for the guest, %s for staging and then for QEMU".formatted(guest, staging)
                : "%s for the guest, %s for staging and %s for QEMU".formatted(guest, staging, qemu);
    }
}
