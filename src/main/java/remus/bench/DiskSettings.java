package remus.bench;

import java.nio.file.Path;
import java.time.Duration;
import remus.base.ByteSize;
import remus.qemu.Accelerator;

/**
 * What the disk bench is to measure.
 *
 * @param rounds how often each case is measured with each workload
 * @param perTurn how long each of these is measured, by the host's clock
 * @param memory the guest's
 * @param disk size of the disk that is written, all over
 * @param interval of the checkpoints in the protected case
 * @param directory where the images of all disks lie
 */
public record DiskSettings(
        int rounds,
        Duration perTurn,
        ByteSize memory,
        ByteSize disk,
        Duration interval,
        Accelerator accelerator,
        Path directory) {
    /** What the Debian guest with its database needs. */
    private static final ByteSize LEAST_MEMORY = ByteSize.ofMebibytes(384);

    /** Below, the sequential writes overwrite what is still on its way. */
    private static final ByteSize LEAST_DISK = ByteSize.ofMebibytes(16);

    public DiskSettings {
        Settings.requireRounds(rounds);
        Settings.requireSeconds(perTurn);
        if (memory.bytes() < LEAST_MEMORY.bytes()) {
            throw new IllegalArgumentException(
                    "a guest of %s is too small for its database: give it at least %s".formatted(memory, LEAST_MEMORY));
        }
        if (disk.bytes() < LEAST_DISK.bytes() || disk.bytes() % (1 << 20) != 0) {
            throw new IllegalArgumentException(
                    "a disk of %s can't be measured: give it whole MiB, at least %s".formatted(disk, LEAST_DISK));
        }
    }
}
