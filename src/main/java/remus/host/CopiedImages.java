package remus.host;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.DiskStatus;
import remus.base.CloseStack;
import remus.base.HostAddress;
import remus.base.Term;
import remus.checkpoint.BackupDisks;
import remus.disk.DiskException;
import remus.disk.GuestDisks;
import remus.disk.ImageMarker;
import remus.disk.RawImage;
import remus.disk.RedoLog;
import remus.disk.ReplicaDisk;
import remus.disk.StandbyDisks;
import remus.wire.Hello;
import remus.wire.HelloDisk;

/**
 * The images of a VM's disks on its backup, which are copies of its primary's: finds those that this host has of it from before, makes
 * those that it lacks, and marks each as a copy before anything is written to it. Confined to the backup's agent thread,
 * but for what {@link StandbyDisks} allows others.
 */
final class CopiedImages implements StandbyImages {
    private static final Logger LOG = LoggerFactory.getLogger(CopiedImages.class);

    private final HostServices services;
    private final Hello hello;
    private final Term term;
    private final ImageMarker.Peer primary;
    private final List<Image> images = new ArrayList<>();
    private final CloseStack owned = new CloseStack();
    private @Nullable StandbyDisks replica;

    /** @param hadContent whether it was there before the session */
    private record Image(String name, RawImage image, boolean hadContent) {}

    private CopiedImages(HostServices services, Hello hello, Term term, HostAddress primary) {
        this.services = services;
        this.hello = hello;
        this.term = term;
        this.primary = new ImageMarker.Peer(hello.host(), primary);
    }

    /**
     * Opens all images that the hello names.
     *
     * @param primary where the primary can be asked later
     */
    static CopiedImages open(
            HostServices services, Hello hello, Term term, HostAddress primary, StandbyDisks.Listener listener)
            throws StandbyException {
        CopiedImages opened = new CopiedImages(services, hello, term, primary);
        boolean complete = false;
        try {
            opened.openAll(listener);
            complete = true;
            return opened;
        } catch (DiskException e) {
            throw new StandbyException(String.valueOf(e.getMessage()), e);
        } finally {
            if (!complete) {
                opened.close();
            }
        }
    }

    private void openAll(StandbyDisks.Listener listener) throws DiskException, StandbyException {
        List<ReplicaDisk> replicas = new ArrayList<>();
        try (CloseStack onFailure = new CloseStack()) {
            for (HelloDisk disk : hello.disks()) {
                Image image = openImage(disk, onFailure);
                images.add(image);
                replicas.add(new ReplicaDisk(image.name(), image.image()));
            }
            onFailure.release();
        }
        images.forEach(image -> owned.push(image.image()));
        if (!replicas.isEmpty()) {
            // Whatever an earlier session has left there: images are compared as they are.
            Path log = services.state().redoLog(hello.vm());
            RedoLog.remove(log);
            mark(ImageMarker.Role.SYNCHRONIZING);
            replica = owned.push(StandbyDisks.open(log, hello.vm(), term, replicas, services.time(), listener));
        }
    }

    /**
     * The image that the VM ran with here, where its marker says that others have gone on since; else one of our own. An
     * image of our own without a marker is the newest there is and is not touched.
     */
    private Image openImage(HelloDisk disk, CloseStack onFailure) throws DiskException, StandbyException {
        Path former = services.state().formerImage(hello.vm(), disk.name());
        if (former != null && Files.exists(former) && isCopyOf(disk, former)) {
            RawImage image = onFailure.push(RawImage.open(former));
            if (image.bytes() == disk.bytes()) {
                return new Image(disk.name(), image, true);
            }
            LOG.info("VM {}: {} has another size now and is left alone", hello.vm(), former);
            image.close();
        }
        Path own = services.state().ownImage(hello.vm(), disk.name());
        if (!Files.exists(own)) {
            return new Image(disk.name(), onFailure.push(create(own, disk)), false);
        }
        if (!isCopyOf(disk, own) && !isEmpty(own)) {
            throw new StandbyException(
                    "%s is the newest image of disk %s that this host knows of: move it away to have the VM backed up here"
                            .formatted(own, disk.name()),
                    null);
        }
        RawImage present = onFailure.push(RawImage.open(own));
        if (present.bytes() == disk.bytes()) {
            return new Image(disk.name(), present, true);
        }
        present.close();
        delete(own);
        return new Image(disk.name(), onFailure.push(create(own, disk)), false);
    }

    /** A marker of another host's speaks of that host's image, which both may see under one path. */
    private boolean isCopyOf(HelloDisk disk, Path image) throws DiskException {
        ImageMarker marker = ImageMarker.read(image).orElse(null);
        return marker != null
                && marker.host().equals(services.hostName())
                && marker.vm().equals(hello.vm())
                && marker.disk().equals(disk.name());
    }

    /** One that was just made when its daemon was killed has no marker yet. */
    private static boolean isEmpty(Path path) throws DiskException {
        try (RawImage image = RawImage.open(path)) {
            return image.nextData(0) == image.bytes();
        }
    }

    private static RawImage create(Path path, HelloDisk disk) throws DiskException, StandbyException {
        try {
            Files.createDirectories(path.getParent());
        } catch (IOException e) {
            throw new StandbyException("image " + path + " can't be made: " + e, e);
        }
        return RawImage.create(path, disk.bytes());
    }

    private static void delete(Path image) throws StandbyException {
        try {
            Files.delete(image);
        } catch (IOException e) {
            throw new StandbyException("image " + image + " of an earlier size can't be replaced: " + e, e);
        }
    }

    @Override
    public List<String> withContent() {
        return images.stream().filter(Image::hadContent).map(Image::name).toList();
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
        StandbyDisks own = replica;
        return own == null ? BackupDisks.NONE : own;
    }

    @Override
    public @Nullable StandbyDisks replica() {
        return replica;
    }

    @Override
    public void mark(ImageMarker.Role role) throws DiskException {
        for (Image image : images) {
            marker(image.name(), role).write(image.image().path());
        }
    }

    private ImageMarker marker(String disk, ImageMarker.Role role) {
        return new ImageMarker(
                hello.vm(),
                disk,
                services.hostName(),
                term,
                role,
                primary,
                services.state().redoLog(hello.vm()),
                Instant.now());
    }

    @Override
    public CompletableFuture<?> settle() {
        StandbyDisks own = replica;
        return own == null ? CompletableFuture.completedFuture(null) : own.settle();
    }

    @Override
    public void handOver(VmDisks running) {
        running.own(images.stream().map(Image::image).toList());
        owned.release();
    }

    @Override
    public void retire() {
        StandbyDisks own = replica;
        replica = null;
        if (own == null) {
            return;
        }
        own.close(); // it holds the log
        try {
            RedoLog.remove(services.state().redoLog(hello.vm()));
            services.images()
                    .retire(images.stream().map(image -> image.image().path()).toList(), term);
        } catch (DiskException e) {
            LOG.warn("VM {}: its images can't be unmarked: {}", hello.vm(), e.getMessage());
        }
    }

    @Override
    public List<DiskStatus> status(boolean whole) {
        StandbyDisks own = replica;
        if (own == null) {
            return List.of();
        }
        List<DiskStatus> all = new ArrayList<>();
        for (int disk = 0; disk < images.size(); disk++) {
            // How far the synchronization is, only the primary knows, who does it.
            all.add(new DiskStatus(images.get(disk).name(), own.pendingBytes(disk), whole ? 100 : null));
        }
        return all;
    }

    @Override
    public void close() {
        owned.close();
    }
}
