package remus.bench;

import com.fasterxml.jackson.annotation.JsonProperty;
import org.jspecify.annotations.Nullable;

/**
 * One measured case of the disk bench: a workload in one of four settings. {@code plain} is QEMU on the image file
 * itself, {@code qemu-nbd} the same VM through QEMU's own NBD server, {@code unprotected} through ours, {@code protected}
 * the same with a backup on the same machine. A figure without {@code Min} or {@code Max} at its end is the median of the rounds.
 *
 * @param setting plain, qemu-nbd, unprotected or protected
 * @param workload randwrite-4k or write-1m
 * @param blockBytes size of each write that fio asks for
 * @param ioDepth writes that fio keeps under way
 * @param diskBytes size of the disk that is written, all over
 * @param intervalMillis between two checkpoints; null where none are taken
 * @param secondsPerRound as asked, by the host's clock
 * @param mebibytesPerSecondP50 what the guest's disk took by the host's clock
 * @param iopsP50 the same in writes of {@code blockBytes}
 * @param ratioToPlain of the medians; 1 for the plain case
 * @param ratioToPlainMin smallest ratio to the plain case of the same round
 * @param checkpoints committed in all rounds; null, as what follows, where none are taken
 * @param pauseMicrosP50 of the guest, median of the rounds' medians
 * @param pauseMicrosP99 median of the rounds' 99th percentiles
 * @param pauseMicrosMax largest of all
 * @param commitMicrosP50 from the end of the pause to the backup's acknowledgement
 * @param dirtyPagesP50 pages in a checkpoint
 */
public record DiskCase(
        @JsonProperty("case") String setting,
        String workload,
        int blockBytes,
        int ioDepth,
        long memoryBytes,
        long diskBytes,
        @Nullable Long intervalMillis,
        int rounds,
        double secondsPerRound,
        double mebibytesPerSecondP50,
        double mebibytesPerSecondMin,
        double mebibytesPerSecondMax,
        long iopsP50,
        long iopsMin,
        long iopsMax,
        double ratioToPlain,
        double ratioToPlainMin,
        double ratioToPlainMax,
        @Nullable Long checkpoints,
        @Nullable Long pauseMicrosP50,
        @Nullable Long pauseMicrosP99,
        @Nullable Long pauseMicrosMax,
        @Nullable Long commitMicrosP50,
        @Nullable Long commitMicrosP99,
        @Nullable Long commitMicrosMax,
        @Nullable Long dirtyPagesP50) {}
