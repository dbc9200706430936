package remus.disk;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.base.Invariant;
import remus.base.Time;
import remus.checkpoint.CheckpointDevice;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.DiskForwarding;
import remus.checkpoint.DiskWriteCount;
import remus.checkpoint.StagedCheckpoint;

/**
 * All disks of a VM on the host that runs it, or that stands by to: who may change them, which epoch a change belongs to,
 * and how much was changed in each.
 *
 * <pre>
 * STANDBY   reads; changes are refused (EPERM)                        activate() → GATED
 * GATED     reads; changes and flushes wait for the settled images    open()     → OPEN
 * OPEN      everything                                                withhold() → WITHHELD
 * WITHHELD  reads and flushes; changes wait, for another host may
 *           come to own these very images                             open()     → OPEN
 * CLOSED    changes and flushes fail (ESHUTDOWN), those that wait too; from any by shutDown()
 * </pre>
 *
 * <p>Replication, while OPEN: {@link #attach} begins a session; {@link #synchronizer} brings the backup's images to ours;
 * then come the verbs of {@link CheckpointDevice}. Changes carry {@link EpochId#NONE} until the first checkpoint's
 * {@link #saved}, and the number of their epoch from there on. {@link #abort} ends the session whatever it is doing, also
 * when the channel has ended already: who waits for room goes on, and the guest goes on unreplicated. Then a further
 * session may begin, from nothing.
 *
 * <p>Pauses. From {@link #suspending} to {@link #resumed} no change waits for room in the channel, and from
 * {@link #suspending} to {@link #saved} no flush waits for the disk: QEMU stops only when all its requests are answered,
 * and flushes for its own purposes with {@code stop} and {@code save}. What such a flush would have waited for is
 * <em>owed</em> to the epoch: {@link #mayCommit} is false until that is done, then {@link Listener#owedSyncDone} says so.
 * It stays owed when the session ends: before output flows freely again, {@link #whenDurable} has to be waited for.
 *
 * <p>Threads. The verbs, {@link #attach} and {@link #synchronizer} are the agent's; all else may be called on any thread.
 * The agent takes an order lock only in {@link #saved}, when the guest stands still and no change can be waiting, so it
 * never waits for the channel. Each disk has a thread for its flushes. The listener is called on threads of these kinds:
 * it hands over and returns.
 *
 * <p>End: {@link #shutDown}, then the NBD server is closed, whose workers wait for nothing any more, then {@link #close}.
 */
public final class GuestDisks implements CheckpointDevice, AutoCloseable {
    /** What the disks may be used for; transitions are listed in the class header. */
    public enum Mode {
        STANDBY,
        GATED,
        OPEN,
        WITHHELD,
        CLOSED
    }

    /**
     * A disk of the VM's definition.
     *
     * @param image open; closed by whoever opened it, after these disks
     */
    public record Disk(String name, BlockImage image) {}

    /** What the VM's owner hears, on any thread. */
    public interface Listener {
        /** The image of a disk has failed; the guest has been told. Once for each burst of errors. */
        void diskFailed(String disk, DiskRequest request, DiskException cause);

        /** {@link #mayCommit} may answer otherwise than before. */
        void owedSyncDone();
    }

    private record Session(DiskForwarding forwarding, List<DiskReplica> replicas) {}

    private record Waiting(EpochId epoch, Runnable task) {}

    private final Listener listener;
    private final Time time;
    private final DiskGate gate;
    private final List<GuestDisk> disks;
    private volatile @Nullable Session session;
    private volatile @Nullable DiskSynchronizer synchronizer;

    // Of this session and those before, as long as their threads may be at work; guarded by itself.
    private final List<DiskSynchronizer> synchronizers = new ArrayList<>();

    // Guarded by this: two may ask for writes to be let through, and each takes back its own.
    private boolean pausing;
    private boolean stopping;

    private final List<Waiting> waiting = new ArrayList<>();

    /** @param disks in the order of the VM's definition; their images are not closed with this object */
    public GuestDisks(List<Disk> disks, Mode mode, Listener listener, Time time) {
        if (disks.size() > DiskForwarding.MAX_DISKS) {
            throw new IllegalArgumentException(
                    disks.size() + " disks, a VM has " + DiskForwarding.MAX_DISKS + " at most");
        }
        this.listener = listener;
        this.time = time;
        gate = new DiskGate(mode);
        this.disks = disks.stream().map(this::guestDisk).toList();
    }

    private GuestDisk guestDisk(Disk disk) {
        String name = disk.name();
        return new GuestDisk(
                name,
                disk.image(),
                gate,
                (request, cause) -> listener.diskFailed(name, request, cause),
                this::owedSyncDone,
                time);
    }

    /** In the order of the VM's definition. */
    public List<GuestDisk> disks() {
        return disks;
    }

    public Mode mode() {
        return gate.mode();
    }

    /** The standby is about to run: from now on its changes wait until {@link #open}. */
    public void activate() {
        become(Mode.STANDBY, Mode.GATED);
    }

    /** The images are settled, or this host's after all: the guest may change them. */
    public void open() {
        Invariant.check(mode() != Mode.STANDBY, "disks mode=%s can't be opened", mode());
        gate.become(Mode.OPEN);
    }

    /** Another host may come to own these very images: until {@link #open} nothing changes them from here. */
    public void withhold() {
        become(Mode.OPEN, Mode.WITHHELD);
    }

    /** Begins to bring to the disks what the guest has written so far, and does not wait for that. */
    public void syncAhead() {
        disks.forEach(disk -> disk.flusher().syncAhead());
    }

    private void become(Mode from, Mode to) {
        Invariant.check(mode() == from || mode() == Mode.CLOSED, "disks mode=%s expected=%s", mode(), from);
        gate.become(to);
    }

    /** A session begins: the backup's images are yet to be synchronized. The session before must have ended. */
    public void attach(DiskForwarding forwarding) {
        Invariant.check(session == null, "the disks are replicated already");
        List<DiskReplica> replicas = new ArrayList<>();
        for (GuestDisk disk : disks) {
            replicas.add(new DiskReplica(forwarding, replicas.size(), disk.bytes()));
        }
        synchronized (this) {
            session = new Session(forwarding, replicas);
            pausing = false;
            forwarding.letWritesThrough(stopping);
        }
        for (int i = 0; i < disks.size(); i++) {
            disks.get(i).replicateTo(replicas.get(i));
        }
    }

    /** What will bring the backup's images to ours; to be started by the caller. Once in a session. */
    public DiskSynchronizer synchronizer(DiskSynchronizer.Settings settings, DiskSynchronizer.Listener observer) {
        Invariant.check(synchronizer == null, "the disks are being synchronized already");
        DiskSynchronizer created = new DiskSynchronizer(disks, presentSession().forwarding(), settings, observer, time);
        synchronized (synchronizers) {
            synchronizers.removeIf(DiskSynchronizer::hasEnded);
            synchronizers.add(created);
        }
        synchronizer = created;
        letThroughAsNeeded();
        return created;
    }

    private Session presentSession() {
        return Invariant.present(session, "the session of the disks");
    }

    /** @throws CheckpointException where the disks are not synchronized */
    @Override
    public void setup() throws CheckpointException {
        Session current = session;
        if (current == null || !current.replicas().stream().allMatch(DiskReplica::isSynchronized)) {
            throw new CheckpointException(ErrorCategory.DEGRADE, "the backup's disks are not synchronized yet", null);
        }
    }

    @Override
    public void suspending(EpochId epoch) {
        disks.forEach(disk -> disk.flusher().pausing(epoch));
        pausing(true);
    }

    /** All requests of QEMU's are answered, so nobody holds an order lock for long. */
    @Override
    public void suspended(StagedCheckpoint checkpoint) {
        for (GuestDisk disk : disks) {
            disk.order().lock();
            try {
                disk.presentReplica().still();
            } finally {
                disk.order().unlock();
            }
        }
    }

    /** @throws CheckpointException where a disk was changed while the guest stood still, by whomever */
    @Override
    public void saved(StagedCheckpoint checkpoint) throws CheckpointException {
        disks.forEach(disk -> disk.order().lock());
        try {
            DiskWriteCount written = DiskWriteCount.NONE;
            for (GuestDisk disk : disks) {
                DiskReplica replica = disk.presentReplica();
                checkUndisturbed(disk, replica, checkpoint.epoch());
                DiskWriteCount count = replica.seal(checkpoint.epoch());
                written =
                        new DiskWriteCount(written.operations() + count.operations(), written.bytes() + count.bytes());
            }
            checkpoint.setDiskWrites(written);
        } finally {
            disks.reversed().forEach(disk -> disk.order().unlock());
        }
        disks.forEach(disk -> disk.flusher().paused());
    }

    private static void checkUndisturbed(GuestDisk disk, DiskReplica replica, EpochId epoch)
            throws CheckpointException {
        if (replica.wasDisturbed()) {
            throw new CheckpointException(
                    ErrorCategory.DEGRADE,
                    "disk %s was changed while the guest stood still for checkpoint epoch=%s: something other than its QEMU uses its socket"
                            .formatted(disk.name(), epoch),
                    null);
        }
    }

    @Override
    public void resumed(EpochId epoch) {
        pausing(false);
    }

    @Override
    public void commit(EpochId epoch) {
        presentSession().replicas().forEach(replica -> replica.commit(epoch));
    }

    /** Whether no fdatasync is owed to {@code epoch} or one before it. */
    @Override
    public boolean mayCommit(EpochId epoch) {
        return disks.stream().noneMatch(disk -> disk.flusher().owes(epoch));
    }

    /** Calls {@code task} once {@link #mayCommit} is true for {@code epoch}: now or later, on any thread. */
    public void whenDurable(EpochId epoch, Runnable task) {
        synchronized (waiting) {
            if (!mayCommit(epoch)) {
                waiting.add(new Waiting(epoch, task));
                return;
            }
        }
        task.run();
    }

    private void owedSyncDone() {
        List<Waiting> due;
        synchronized (waiting) {
            due = waiting.stream().filter(entry -> mayCommit(entry.epoch())).toList();
            waiting.removeAll(due);
        }
        due.forEach(entry -> entry.task().run());
        listener.owedSyncDone();
    }

    /** Whatever the session is doing: nothing is forwarded any more and nobody waits for room. Takes no order lock. */
    @Override
    public void abort() {
        Session ending = session;
        if (ending == null) {
            return;
        }
        DiskSynchronizer synchronizing = synchronizer;
        if (synchronizing != null) {
            synchronizing.cancel();
            synchronizer = null;
        }
        ending.replicas().forEach(DiskReplica::end);
        disks.forEach(disk -> {
            disk.replicateTo(null);
            disk.flusher().sessionEnded();
        });
        synchronized (this) {
            ending.forwarding().letWritesThrough(true);
            session = null;
        }
    }

    /**
     * To be called with {@code true} before QEMU is asked to stop for another reason than a checkpoint, and with
     * {@code false} when it has answered: a stop waits for all requests, and a request may be waiting for the channel. The
     * synchronization stands still meanwhile, for it must not fill the memory with what nobody holds up.
     */
    public synchronized void letWritesThrough(boolean through) {
        stopping = through;
        letThroughAsNeeded();
    }

    private synchronized void pausing(boolean begins) {
        pausing = begins;
        letThroughAsNeeded();
    }

    private synchronized void letThroughAsNeeded() {
        boolean through = pausing || stopping;
        Session current = session;
        DiskSynchronizer synchronizing = synchronizer;
        if (synchronizing != null && through) {
            synchronizing.hold(true);
        }
        if (current != null) {
            current.forwarding().letWritesThrough(through);
        }
        if (synchronizing != null && !through) {
            synchronizing.hold(false);
        }
    }

    /** Whether a disk is at work for the guest; QEMU's stop waits for that. */
    public boolean isBusy() {
        return disks.stream().anyMatch(GuestDisk::isBusy);
    }

    /** Whether changes go to a backup. */
    public boolean isReplicated() {
        Session current = session;
        return current != null && current.replicas().stream().noneMatch(DiskReplica::hasEnded);
    }

    /** Bytes of {@code disk} that were forwarded in epochs not yet committed. */
    public long pendingBytes(int disk) {
        DiskReplica replica = disks.get(disk).replica();
        return replica == null ? 0 : replica.pendingBytes();
    }

    /** How much of {@code disk} the synchronization has brought to the backup; 0 without a session. */
    public int syncedPercent(int disk) {
        DiskReplica replica = disks.get(disk).replica();
        return replica == null
                ? 0
                : (int) (100.0 * replica.cursor() / disks.get(disk).bytes());
    }

    /** The VM ends here: changes and flushes fail, and so do those that wait. Never waits; idempotent. */
    public void shutDown() {
        gate.become(Mode.CLOSED);
        DiskSynchronizer synchronizing = synchronizer;
        if (synchronizing != null) {
            synchronizing.cancel();
        }
        letWritesThrough(true);
        disks.forEach(GuestDisk::shutDown);
    }

    /**
     * Waits until the changes and flushes under way are done, all together for {@link Closing#LIMIT} at most. The NBD server
     * must be closed before.
     */
    @Override
    public void close() {
        closeWithin(Closing.LIMIT);
    }

    /** Returns whether nothing is under way any more. */
    boolean closeWithin(Duration limit) {
        shutDown();
        Closing closing = Closing.within(limit);
        boolean isQuiet = true;
        synchronized (synchronizers) {
            for (DiskSynchronizer each : synchronizers) {
                isQuiet &= each.close(closing);
            }
        }
        for (GuestDisk disk : disks) {
            isQuiet &= disk.close(closing);
        }
        return isQuiet;
    }
}
