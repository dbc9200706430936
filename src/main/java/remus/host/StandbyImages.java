package remus.host;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import remus.api.DiskStatus;
import remus.base.HostAddress;
import remus.base.Term;
import remus.checkpoint.BackupDisks;
import remus.disk.DiskException;
import remus.disk.ImageMarker;
import remus.disk.StandbyDisks;
import remus.wire.Hello;

/**
 * The images of a VM's disks on the host that may take it over, for one session: copies of its own, or those of a VM that
 * moves between two hosts which see the same ones. Confined to the backup's agent thread, but for what
 * {@link StandbyDisks} allows others.
 */
interface StandbyImages extends AutoCloseable {
    /**
     * Opens all images that the hello names, or finds those that are shared.
     *
     * @param primary where the primary can be asked later
     * @param definition what the hello says of the VM
     */
    static StandbyImages open(
            HostServices services,
            Hello hello,
            Term term,
            HostAddress primary,
            SharedDefinition definition,
            StandbyDisks.Listener listener)
            throws StandbyException {
        return definition.sharesDisks()
                ? SharedImages.find(services, hello, term, definition)
                : CopiedImages.open(services, hello, term, primary, listener);
    }

    /** Names of the disks of which there was a copy already. */
    List<String> withContent();

    /** Where the image of a disk is. */
    Path path(String disk);

    /** What a standby's QEMU is given: over the same images, but of its own. */
    VmDisks forStandby();

    /** What takes the disks' part of checkpoints. */
    BackupDisks backupDisks();

    /** The copies as they are kept, or null where there are none. */
    @Nullable
    StandbyDisks replica();

    /** Marks all copies; on disk when this returns. */
    void mark(ImageMarker.Role role) throws DiskException;

    /** The images become what the last whole checkpoint needs, and durable; completes on any thread. */
    CompletableFuture<?> settle();

    /** The images belong to the disks of a VM that runs: this object lets go of them, and {@link #retire} follows. */
    void handOver(VmDisks running);

    /**
     * Removes what says that another host may own the newest images; after {@link #handOver}, on the agent of the VM that
     * runs. What stays costs a question at the next start: the take-over is on record.
     */
    void retire();

    /** @param whole whether a checkpoint is */
    List<DiskStatus> status(boolean whole);

    @Override
    void close();
}
