package remus.bench;

import java.time.Duration;
import java.util.List;
import remus.base.ByteSize;
import remus.qemu.Accelerator;
import remus.qemu.MachineType;

/**
 * What the pause bench is to measure.
 *
 * @param dirtyPages a case for each: how many pages the guest writes between two checkpoints; 0 is an idle guest
 * @param perCase how long each case is measured
 */
public record PauseSettings(
        MachineType machine, ByteSize memory, Accelerator accelerator, List<Integer> dirtyPages, Duration perCase) {
    /** Time from one pause to the next. */
    public static final Duration INTERVAL = Duration.ofMillis(25);

    /** A guest of a few thousand pages more than these would need more memory than the smallest one has. */
    public static final int MAX_DIRTY_PAGES = 1 << 20;

    /** What the guest's kernel, initramfs and programs need besides the pages that are written. */
    private static final ByteSize GUEST_ITSELF = ByteSize.ofMebibytes(160);

    private static final int PAGE_BYTES = 4096;

    public PauseSettings {
        dirtyPages = List.copyOf(dirtyPages);
        if (!perCase.isPositive()) {
            throw new IllegalArgumentException("perCase=" + perCase + " must be positive");
        }
        for (int pages : dirtyPages) {
            if (pages < 0 || pages > MAX_DIRTY_PAGES) {
                throw new IllegalArgumentException("pages=" + pages + " is not a number from 0 to " + MAX_DIRTY_PAGES);
            }
            long needed = GUEST_ITSELF.bytes() + (long) pages * PAGE_BYTES;
            if (memory.bytes() < needed) {
                throw new IllegalArgumentException("a guest of " + memory + " can't write " + pages
                        + " pages: give it at least " + new ByteSize(needed));
            }
        }
    }
}
