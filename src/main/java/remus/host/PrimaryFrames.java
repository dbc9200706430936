package remus.host;

import java.lang.foreign.MemorySegment;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.base.Time;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.CheckpointFrames;
import remus.checkpoint.CheckpointReceiver;
import remus.disk.StandbyDisks;

/**
 * Brings what a primary sends to where it belongs: checkpoints to the receiver, files and questions to the copy, words about
 * the VM's fate to {@link StandbyOwnership}. Confined to the backup's agent thread.
 */
final class PrimaryFrames extends CheckpointFrames {
    private final StandbyCopy copy;
    private final StandbyOwnership ownership;
    private final PrimaryContact primary;
    private final Agent agent;
    private final Time time;

    PrimaryFrames(StandbyCopy copy, StandbyOwnership ownership, PrimaryContact primary, Agent agent, Time time) {
        this.copy = copy;
        this.ownership = ownership;
        this.primary = primary;
        this.agent = agent;
        this.time = time;
    }

    @Override
    protected long nowNanos() {
        return time.nanos();
    }

    @Override
    protected CheckpointReceiver receiver() {
        return copy.receiver();
    }

    @Override
    public void fileData(String name, long offset, MemorySegment bytes) throws CheckpointException {
        copy.files().write(name, offset, bytes);
    }

    @Override
    public void diskCompare(int disk, long firstBlock, int count) throws CheckpointException {
        StandbyDisks replica = copy.images().replica();
        if (replica == null) {
            throw new CheckpointException(ErrorCategory.RETRY, "digests of disk " + disk + " are asked for", null);
        }
        replica.digests(disk, firstBlock, count, this::answerDigests);
    }

    private void answerDigests(int disk, long firstBlock, byte[] digests) {
        agent.post(() -> primary.diskDigests(disk, firstBlock, digests));
    }

    @Override
    public void heartbeat(EpochId sealed) {
        // That bytes came is all there is to it.
    }

    @Override
    public void guestDead(String why) {
        ownership.guestDead(why);
    }

    @Override
    public void handOver(long pausedNanos, String why) {
        ownership.handedOver(pausedNanos, why);
    }

    @Override
    public void signOff(String why) {
        ownership.signOff(why);
    }
}
