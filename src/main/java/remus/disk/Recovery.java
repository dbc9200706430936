package remus.disk;

import java.nio.file.Path;
import java.util.List;
import remus.base.EpochId;
import remus.base.Term;

/**
 * What a redo log and its images turned out to be.
 *
 * @param epoch the checkpoint that the images equal; {@link EpochId#NONE} where there is none. Later checkpoints in
 *     which nothing was written to a disk are equal to it, and not known here
 * @param images their paths, in the order of the VM's disks
 * @param replayedRecordCount how many checkpoints' writes were applied again
 */
public record Recovery(
        Outcome outcome, String vm, Term term, EpochId epoch, List<Path> images, int replayedRecordCount) {
    /** What the images are. */
    public enum Outcome {
        /** A synchronization was under way: content that no guest has ever seen as a whole. */
        INCOMPLETE,
        /** Durable, and exactly as the guest's disks were at the end of {@link Recovery#epoch()}. */
        CHECKPOINT,
        /** Given to a guest that ran here, and changed by it since: nothing was touched. */
        ENDED
    }

    public Recovery {
        images = List.copyOf(images);
    }
}
