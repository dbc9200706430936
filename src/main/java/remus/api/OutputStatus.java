package remus.api;

/**
 * The output buffer of a VM: frames that the guest sent and that wait for their epoch's commit.
 *
 * @param heldFrames waiting now
 * @param heldBytes waiting now
 * @param releasedFrames since the VM runs on this host
 * @param droppedFrames since the VM runs on this host, because the buffer was full with two checkpoints in flight
 */
public record OutputStatus(long heldFrames, long heldBytes, long releasedFrames, long droppedFrames) {
    public static final OutputStatus NONE = new OutputStatus(0, 0, 0, 0);
}
