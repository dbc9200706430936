package remus.bench;

/**
 * One measured case of the pause bench. Times are in microseconds; those without a percentile's name are medians.
 *
 * <p>The parts of a pause follow each other: {@code stop}, {@code save}, {@code read}, {@code late}, {@code cont}.
 * {@code find} and {@code copy} come before it, while the guest still runs ({@code ahead}), or, where nothing was copied
 * ahead, beside QEMU's save: then only what they take longer than QEMU adds to the pause, and is part of {@code save}.
 *
 * @param machineType as in a VM definition
 * @param dirtyPages pages that the guest was told to write between two checkpoints
 * @param dirtyPagesMeasured median of the pages in a checkpoint
 * @param pauseMicrosP50 from the request to stop until QEMU has answered that the guest runs again
 * @param floorMicrosP50 the same of the bare commands
 * @param ratio of the two medians
 * @param checkpoints how many pauses were measured
 * @param floorCycles how many bare cycles were measured, in turns with them
 * @param deviceStateBytes what QEMU saves
 * @param aheadMicrosP50 what of find and copy was done ahead of the pause
 * @param pagesInPauseP50 how many pages were copied in the pause
 * @param stopMicrosP50 until QEMU has answered {@code stop}
 * @param saveMicrosP50 from then until the answer to the save was taken up
 * @param findMicrosP50 finding the written pages and protecting them again
 * @param copyMicrosP50 copying them into staging
 * @param readMicrosP50 reading the device state
 * @param lateMicrosP50 finding and copying, once all stands still, what was written since
 * @param contMicrosP50 from then until QEMU has answered {@code cont}
 */
public record PauseCase(
        String machineType,
        long memoryBytes,
        int dirtyPages,
        long dirtyPagesMeasured,
        long pauseMicrosP50,
        long floorMicrosP50,
        double ratio,
        long pauseMicrosMin,
        long pauseMicrosP99,
        long pauseMicrosMax,
        long floorMicrosMin,
        long floorMicrosP99,
        long floorMicrosMax,
        int checkpoints,
        int floorCycles,
        long deviceStateBytes,
        long aheadMicrosP50,
        long pagesInPauseP50,
        long stopMicrosP50,
        long saveMicrosP50,
        long findMicrosP50,
        long copyMicrosP50,
        long readMicrosP50,
        long lateMicrosP50,
        long contMicrosP50,
        long floorStopMicrosP50,
        long floorSaveMicrosP50,
        long floorContMicrosP50) {}
