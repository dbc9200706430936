package remus.host;

import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import remus.checkpoint.BackupChannel;
import remus.checkpoint.CheckpointException;
import remus.disk.DiskSynchronizer;
import remus.disk.SyncProgress;

/**
 * Has a backup's images of the disks brought up to date at the beginning of a session. Begun on the VM's agent thread, to
 * which it brings what the synchronizer's thread says.
 */
final class SessionSynchronization implements DiskSynchronizer.Listener {
    /** What follows for the session; said on the agent thread, and nothing after the session's end. */
    interface Listener {
        void diskProgress(String text);

        /** The images are equal, and stay so: what the guest writes is forwarded. */
        void disksSynchronized(String how, long bytesSent);

        void synchronizationFailed(CheckpointException cause);
    }

    private final VmDisks disks;
    private final BackupChannel channel;
    private final long bytesPerSecond;
    private final Listener listener;
    private final Consumer<Runnable> agent;
    private @Nullable DiskSynchronizer synchronizer;
    private volatile @Nullable SyncProgress last;

    /**
     * @param bytesPerSecond at most; 0 for no limit
     * @param agent runs what it is given on the agent thread, unless the session has ended by then
     */
    SessionSynchronization(
            VmDisks disks, BackupChannel channel, long bytesPerSecond, Listener listener, Consumer<Runnable> agent) {
        this.disks = disks;
        this.channel = channel;
        this.bytesPerSecond = bytesPerSecond;
        this.listener = listener;
        this.agent = agent;
    }

    /** @param disksWithContent of which the backup has an image of earlier, so that only differences are sent */
    void begin(Set<String> disksWithContent) {
        disks.guest().attach(channel);
        DiskSynchronizer begun =
                disks.guest().synchronizer(new DiskSynchronizer.Settings(bytesPerSecond, disksWithContent), this);
        synchronizer = begun;
        begun.start();
    }

    /** The backup's digests have come; on the agent thread. */
    void digests(int disk, long firstBlock, byte[] digests) {
        DiskSynchronizer asking = synchronizer;
        if (asking != null) {
            asking.digests(disk, firstBlock, digests);
        }
    }

    @Override
    public void progress(SyncProgress progress) {
        last = progress;
        agent.accept(() -> listener.diskProgress(SynchronizationText.of(progress)));
    }

    @Override
    public void done() {
        SyncProgress result = last;
        String how = result == null ? "nothing to copy" : SynchronizationText.result(result);
        long bytesSent = result == null ? 0 : result.bytesSent();
        agent.accept(() -> listener.disksSynchronized(how, bytesSent));
    }

    @Override
    public void failed(CheckpointException cause) {
        agent.accept(() -> listener.synchronizationFailed(cause));
    }

    @Override
    public void broken(Throwable cause) {
        agent.accept(() -> {
            throw new AssertionError("the synchronization of the disks failed", cause);
        });
    }
}
