package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import remus.api.StandbyMode;
import remus.base.ByteSize;

class MemoryNeedTest {
    private static final long MIB = 1L << 20;

    /** The memory of guests comes in such steps. */
    private static final long STEP_BYTES = 2 * MIB;

    private static MemoryNeed standby(long guestMebibytes, StandbyMode mode) {
        return MemoryNeed.ofStandby(guestMebibytes * MIB, 0, mode);
    }

    @Test
    void aColdStandbyIsAdmittedWithoutAQemu() {
        assertEquals(
                "1 GiB for the guest, 304 MiB for staging and 64 MiB for QEMU",
                standby(1024, StandbyMode.WARM).toString());
        assertEquals(
                "1 GiB for the guest, 304 MiB for staging and then for QEMU",
                standby(1024, StandbyMode.COLD).toString());
        assertEquals(
                ByteSize.ofMebibytes(64),
                new ByteSize(standby(1024, StandbyMode.WARM).total().bytes()
                        - standby(1024, StandbyMode.COLD).total().bytes()));
    }

    @Test
    void whatAColdStandbyKeepsForPagesIsAlwaysEnoughForItsQemu() {
        long frames = standby(1024, StandbyMode.WARM).staging().bytes() - 256 * MIB;
        for (long guest = 16; guest <= 4096; guest *= 2) {
            assertTrue(
                    standby(guest, StandbyMode.COLD).staging().bytes() - frames >= GuestRoom.QEMU_OVERHEAD_BYTES,
                    "guest of " + guest + " MiB");
        }
    }

    @Test
    void theLargestVmThatAHostSaysItTakesIsTheLargestThatItAdmits() {
        for (long available = 512; available <= 64 << 10; available += 333) {
            GuestRoom room = new GuestRoom(true, 128 << 30, 128L << 30, available * MIB);
            assertLargest(room, room.largestStandbyBytes(), true);
            assertLargest(room, room.largestRunningBytes(), false);
        }
        GuestRoom small = new GuestRoom(true, 64 * MIB, 64 * MIB, 4096 * MIB);
        assertEquals(64 * MIB, small.largestStandbyBytes());
        assertEquals(64 * MIB, small.largestRunningBytes());
        assertEquals(0, new GuestRoom(true, 64 * MIB, 64 * MIB, 32 * MIB).largestStandbyBytes());
    }

    private static void assertLargest(GuestRoom room, long largest, boolean asBackup) {
        String figures = "%s of %s".formatted(new ByteSize(largest), room);
        assertTrue(need(largest, asBackup) <= room.availableBytes(), figures);
        assertTrue(need(largest + STEP_BYTES, asBackup) > room.availableBytes(), figures);
    }

    private static long need(long guestBytes, boolean asBackup) {
        MemoryNeed need = asBackup
                ? MemoryNeed.ofStandby(guestBytes, 1, StandbyMode.WARM)
                : MemoryNeed.ofRunning(new ByteSize(guestBytes));
        return need.total().bytes();
    }

    @Test
    void whatIsKeptForOthersIsNoRoom() {
        GuestRoom room = new GuestRoom(true, 4096 * MIB, 4096 * MIB, 8192 * MIB);
        GuestRoom left = room.after(1024 * MIB, 304 * MIB);
        assertEquals(3072 * MIB, left.tmpfsFreeBytes());
        assertEquals((8192 - 1024 - 304) * MIB, left.availableBytes());
        assertEquals(0, room.after(8192 * MIB, 304 * MIB).availableBytes());
    }
}
