package remus.host;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.DiskStatus;
import remus.base.Invariant;
import remus.base.Term;
import remus.checkpoint.BackupDisks;
import remus.disk.AwaitedImage;
import remus.disk.DiskException;
import remus.disk.GuestDisks;
import remus.disk.ImageMarker;
import remus.disk.ImageWitness;
import remus.disk.RawImage;
import remus.disk.StandbyDisks;
import remus.wire.Hello;
import remus.wire.HelloDisk;

/**
 * The images of a VM that moves here from a host which sees the very same ones. They are only looked at, from outside, until
 * the VM is to be activated: its former host has then made durable what it wrote and lets nothing more through. Then they
 * are opened, for reading first; the guest's writes wait, as those of any activated guest do, until this host owns the VM
 * by the record. Nothing here ever makes, marks or deletes an image, however the migration ends. On the backup's agent
 * thread.
 */
final class SharedImages implements StandbyImages {
    private static final Logger LOG = LoggerFactory.getLogger(SharedImages.class);

    private final HostServices services;
    private final Hello hello;
    private final Term term;
    private final List<Image> images;
    private final List<RawImage> opened = new ArrayList<>();
    private @Nullable VmDisks running;

    private record Image(String name, AwaitedImage image) {}

    private SharedImages(HostServices services, Hello hello, Term term, List<Image> images) {
        this.services = services;
        this.hello = hello;
        this.term = term;
        this.images = images;
    }

    /** @throws StandbyException where an image is not the same on this host */
    static SharedImages find(HostServices services, Hello hello, Term term, SharedDefinition definition)
            throws StandbyException {
        List<Image> images = new ArrayList<>();
        for (HelloDisk disk : hello.disks()) {
            SharedDefinition.SharedImage shared = definition.sharedImage(disk.name());
            if (shared == null) {
                throw new StandbyException("disk %s: where its image is was not said".formatted(disk.name()), null);
            }
            Path path = Path.of(shared.path());
            try {
                ImageWitness.expect(path, disk.bytes(), shared.witness());
            } catch (DiskException e) {
                throw new StandbyException(
                        "disk %s is not shared: %s; let the disks be copied, or make the image visible to both hosts under this path"
                                .formatted(disk.name(), e.getMessage()),
                        e);
            }
            images.add(new Image(disk.name(), new AwaitedImage(path, disk.bytes())));
        }
        return new SharedImages(services, hello, term, images);
    }

    @Override
    public List<String> withContent() {
        return List.of();
    }

    @Override
    public Path path(String disk) {
        return images.stream()
                .filter(image -> image.name().equals(disk))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no disk " + disk))
                .image()
                .path();
    }

    @Override
    public VmDisks forStandby() {
        return new VmDisks(
                hello.vm(),
                images.stream()
                        .map(image -> new GuestDisks.Disk(image.name(), image.image()))
                        .toList(),
                GuestDisks.Mode.STANDBY,
                services.time());
    }

    @Override
    public BackupDisks backupDisks() {
        return BackupDisks.NONE;
    }

    @Override
    public @Nullable StandbyDisks replica() {
        return null;
    }

    @Override
    public void mark(ImageMarker.Role role) {
        throw new IllegalStateException("there is no copy that could be marked");
    }

    /** May be called again: what is open stays so. */
    @Override
    public CompletableFuture<?> settle() {
        try {
            for (Image image : images) {
                RawImage open = image.image().open();
                if (!opened.contains(open)) {
                    opened.add(open);
                }
            }
            return CompletableFuture.completedFuture(null);
        } catch (DiskException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    @Override
    public void handOver(VmDisks disks) {
        disks.own(opened);
        opened.clear();
        running = disks;
    }

    /** Somebody always has the lock, or the marker is there; so nobody starts another VM with the image in between. */
    @Override
    public void retire() {
        Invariant.present(running, "disks of a VM that runs").lockWhenFree(this::unmark);
    }

    private void unmark() {
        try {
            services.images()
                    .retire(images.stream().map(image -> image.image().path()).toList(), term);
        } catch (DiskException e) {
            LOG.warn("VM {}: its images can't be unmarked: {}", hello.vm(), e.getMessage());
        }
    }

    @Override
    public List<DiskStatus> status(boolean whole) {
        return images.stream()
                .map(image -> new DiskStatus(image.name(), 0, null))
                .toList();
    }

    @Override
    public void close() {
        opened.forEach(RawImage::close);
        opened.clear();
    }
}
