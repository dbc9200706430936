package remus.replication;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import remus.base.EpochId;
import remus.wire.DiskWriteKind;
import remus.wire.DiskWrites;

/**
 * Two disks as a backup has them, a byte for each of their first sectors: writes fill whole sectors with one value, wait
 * until their epoch is whole, and are forgotten with their connection. Those without an epoch count at once.
 */
final class SectorDisks {
    static final int SECTOR_BYTES = 512;
    static final int SECTORS = 8192;

    private record Write(EpochId epoch, int disk, int sector, int count, byte fill) {}

    private final byte[][] sectors = new byte[2][SECTORS];
    private final List<Write> pending = new ArrayList<>();
    private boolean torn;

    synchronized void receive(EpochId epoch, DiskWrites writes) {
        for (int i = 0; i < writes.count(); i++) {
            byte fill = 0;
            if (writes.kind(i) == DiskWriteKind.WRITE) {
                fill = fillOf(writes.data().asSlice(writes.dataOffset(i), writes.length(i)));
            }
            Write write = new Write(
                    epoch,
                    writes.disk(i),
                    (int) (writes.offset(i) / SECTOR_BYTES),
                    (int) (writes.length(i) / SECTOR_BYTES),
                    fill);
            if (epoch.equals(EpochId.NONE)) {
                apply(write);
            } else {
                pending.add(write);
            }
        }
    }

    private byte fillOf(MemorySegment data) {
        byte fill = data.get(JAVA_BYTE, 0);
        for (long at = 0; at < data.byteSize(); at += 256) {
            torn |= data.get(JAVA_BYTE, at) != fill;
        }
        return fill;
    }

    private void apply(Write write) {
        int from = Math.min(write.sector, SECTORS);
        Arrays.fill(sectors[write.disk], from, Math.min(write.sector + write.count, SECTORS), write.fill);
    }

    synchronized void whole(EpochId epoch) {
        pending.removeIf(write -> {
            boolean belongs = !write.epoch.isAfter(epoch);
            if (belongs) {
                apply(write);
            }
            return belongs;
        });
    }

    synchronized void dropPending() {
        pending.clear();
    }

    synchronized byte[] sectors(int disk) {
        return sectors[disk].clone();
    }

    /** Whether a write did not arrive as it was made. */
    synchronized boolean isTorn() {
        return torn;
    }
}
