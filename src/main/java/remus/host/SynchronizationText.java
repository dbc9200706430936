package remus.host;

import remus.base.ByteSize;
import remus.disk.SyncProgress;

/** What people read of the synchronization of a VM's disks. */
final class SynchronizationText {
    private SynchronizationText() {}

    /** {@code copying disk root: 43 % of 2 GiB, 120 MiB/s, 12 s left}. */
    static String of(SyncProgress progress) {
        long percent = progress.bytesTotal() == 0 ? 100 : progress.bytesDone() * 100 / progress.bytesTotal();
        String rate = progress.bytesPerSecond() == 0
                ? ""
                : ", %s/s, %d s left"
                        .formatted(
                                new ByteSize(progress.bytesPerSecond()),
                                progress.remaining().toSeconds());
        return "copying disk %s: %d %% of %s%s"
                .formatted(progress.disk(), percent, new ByteSize(progress.bytesTotal()), rate);
    }

    /** How much was sent, and how much did not need to be. */
    static String result(SyncProgress progress) {
        return "the backup has the disks: %s of %s were sent, %s it had or were empty"
                .formatted(
                        new ByteSize(progress.bytesSent()),
                        new ByteSize(progress.bytesTotal()),
                        new ByteSize(progress.bytesSkipped()));
    }
}
