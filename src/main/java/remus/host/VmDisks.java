package remus.host;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
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
    private final List<RawImage> owned = new ArrayList<>();
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
        List<GuestDisks.Disk> disks = new ArrayList<>();
        List<RawImage> images = new ArrayList<>();
        try (CloseStack onFailure = new CloseStack()) {
            for (VmDefinition.Disk disk : definition.disks()) {
                RawImage image = onFailure.push(RawImage.open(disk.image()));
                images.add(image);
                disks.add(new GuestDisks.Disk(disk.name(), image));
            }
            onFailure.release();
        }
        VmDisks opened = new VmDisks(definition.name(), disks, GuestDisks.Mode.OPEN, time);
        opened.own(images);
        return opened;
    }

    GuestDisks guest() {
        return guest;
    }

    boolean isEmpty() {
        return guest.disks().isEmpty();
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
        owned.forEach(RawImage::close);
    }
}
