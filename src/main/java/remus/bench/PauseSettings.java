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
    public static final Duration INTERVAL = GuestLoad.PERIOD;

    public PauseSettings {
        dirtyPages = List.copyOf(dirtyPages);
        if (!perCase.isPositive()) {
            throw new IllegalArgumentException("perCase=" + perCase + " must be positive");
        }
        for (int pages : dirtyPages) {
            new GuestLoad(pages).requireRoom(memory);
        }
    }
}
