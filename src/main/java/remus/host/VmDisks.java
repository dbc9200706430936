package remus.host;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.DiskStatus;
import remus.base.CloseStack;
import remus.base.Time;
import remus.disk.DiskException;
import remus.disk.DiskRequest;
import remus.disk.GuestDisks;
import remus.disk.NbdServer;
import remus.disk.RawImage;
import remus.qemu.VmDefinition;

/**
 * The disks of a VM on this host as one QEMU has them, whether it runs or stands by: what the guest may do with their
 * images, and the NBD server through which it does. Each QEMU of a standby has its own, so that nothing that one of them
 * has asked for is left over for the next. What happens to the disks is told to the owner of the moment. Thread-safe.
 */
final class VmDisks implements GuestDisks.Listener, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(VmDisks.class);
    private static final Duration LOCK_PAUSE = Duration.ofMillis(100);

    /** From then on it is worth a word. */
    private static final int PATIENT_LOCK_ATTEMPTS = 100;

    private static final GuestDisks.Listener NOBODY = new GuestDisks.Listener() {
        @Override
        public void diskFailed(String disk, DiskRequest request, DiskException cause) {
            // The guest has been told.
        }

        @Override
        public void owedSyncDone() {
            // Nobody waits for it.
        }
    };

    private final String vm;
    private final GuestDisks guest;
    private final List<RawImage> owned = new CopyOnWriteArrayList<>();
    private final CountDownLatch closed = new CountDownLatch(1);
    private volatile GuestDisks.Listener owner = NOBODY;

    /** Images are still somebody else's, until {@link #own}. */
    VmDisks(String vm, List<GuestDisks.Disk> images, GuestDisks.Mode mode, Time time) {
        this.vm = vm;
        guest = new GuestDisks(images, mode, this, time);
    }

    /** The images are closed with this object from now on. */
    void own(List<RawImage> images) {
        owned.addAll(images);
    }

    /** Opens the images of a VM that is to run here. */
    static VmDisks open(VmDefinition definition, Time time) throws DiskException {
        return open(definition, GuestDisks.Mode.OPEN, time);
    }

    /**
     * Opens the images of a VM that was moving to a host which sees the same ones when its daemon ended: whether they are
     * this host's is not clear, and the other host may have them locked.
     */
    static VmDisks openWithheld(VmDefinition definition, Time time) throws DiskException {
        return open(definition, GuestDisks.Mode.WITHHELD, time);
    }

    private static VmDisks open(VmDefinition definition, GuestDisks.Mode mode, Time time) throws DiskException {
        List<GuestDisks.Disk> disks = new ArrayList<>();
        List<RawImage> images = new ArrayList<>();
        try (CloseStack onFailure = new CloseStack()) {
            for (VmDefinition.Disk disk : definition.disks()) {
                RawImage image = onFailure.push(
                        mode == GuestDisks.Mode.WITHHELD
                                ? RawImage.openUnlocked(disk.image())
                                : RawImage.open(disk.image()));
                images.add(image);
                disks.add(new GuestDisks.Disk(disk.name(), image));
            }
            onFailure.release();
        }
        VmDisks opened = new VmDisks(definition.name(), disks, mode, time);
        opened.own(images);
        return opened;
    }

    GuestDisks guest() {
        return guest;
    }

    boolean isEmpty() {
        return guest.disks().isEmpty();
    }

    /** The images are this host's after all: what is withheld from the guest's writes is open to them again. */
    void release() {
        if (guest.mode() == GuestDisks.Mode.WITHHELD) {
            guest.open();
            lockWhenFree(() -> {});
        }
    }

    /**
     * Takes the locks of all images as soon as their former host has let go of them, which it does when its QEMU is gone.
     * That this host may write to them is known otherwise.
     *
     * @param locked called then, on a thread of its own; not if these disks are closed before
     */
    void lockWhenFree(Runnable locked) {
        Thread.ofVirtual().name("lock-images-" + vm).start(() -> {
            try {
                if (awaitLocks()) {
                    locked.run();
                }
            } catch (DiskException e) {
                LOG.warn("VM {}: its images are not locked: {}", vm, e.getMessage());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
    }

    private boolean awaitLocks() throws DiskException, InterruptedException {
        for (int attempt = 1; !lockAll(); attempt++) {
            if (attempt == PATIENT_LOCK_ATTEMPTS) {
                LOG.warn("VM {}: another process still has its images locked, as its former host does that hangs", vm);
            }
            if (closed.await(LOCK_PAUSE.toMillis(), TimeUnit.MILLISECONDS)) {
                return false;
            }
        }
        return closed.getCount() > 0;
    }

    /** Not while they are being closed. */
    private synchronized boolean lockAll() throws DiskException {
        if (closed.getCount() == 0) {
            return true;
        }
        for (RawImage image : owned) {
            if (!image.tryLock()) {
                return false;
            }
        }
        return true;
    }

    /** Makes durable what was written to the images, by whomever. */
    void sync() throws DiskException {
        for (RawImage image : owned) {
            image.sync();
        }
    }

    /** Offers the disks to a QEMU; null where there are none. Whoever asks closes it, before these disks. */
    @Nullable
    NbdServer serve(Path socket) throws DiskException {
        return isEmpty() ? null : NbdServer.open(socket, vm, List.copyOf(guest.disks()));
    }

    /** Who is told from now on. */
    void reportTo(GuestDisks.Listener next) {
        owner = next;
    }

    @Override
    public void diskFailed(String disk, DiskRequest request, DiskException cause) {
        owner.diskFailed(disk, request, cause);
    }

    @Override
    public void owedSyncDone() {
        owner.owedSyncDone();
    }

    /** The disks of a VM that runs here. */
    List<DiskStatus> status() {
        List<DiskStatus> all = new ArrayList<>();
        for (int index = 0; index < guest.disks().size(); index++) {
            all.add(new DiskStatus(
                    guest.disks().get(index).name(), guest.pendingBytes(index), guest.syncedPercent(index)));
        }
        return all;
    }

    /** Requests that wait fail, so that a server that is closed hereafter waits for nobody. */
    void shutDown() {
        guest.shutDown();
    }

    @Override
    public void close() {
        guest.close();
        closeImages();
    }

    private synchronized void closeImages() {
        closed.countDown();
        owned.forEach(RawImage::close);
    }
}
