package remus.host;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.base.HostAddress;
import remus.base.Term;
import remus.disk.DiskException;
import remus.disk.ImageMarker;
import remus.disk.Recovery;
import remus.disk.RedoLog;
import remus.host.OperationException.Kind;
import remus.qemu.VmDefinition;
import remus.replication.PeerAnswer;
import remus.replication.PeerQuery;
import remus.wire.OwnerAnswer;

/**
 * Knows, by the markers beside them, whether the images on this host are the newest ones of their VM. A marker is
 * written before another host can come to own newer ones and removed only when nobody can any more, so that neither a
 * killed primary's disk nor a backup's copy is started by mistake, whatever was killed in between. Thread-safe: markers
 * change under the lock of this object.
 */
final class ImageOwnership {
    private static final Logger LOG = LoggerFactory.getLogger(ImageOwnership.class);
    private static final Duration ANSWER_LIMIT = Duration.ofSeconds(2);

    private final String hostName;
    private final StateDirectory state;
    private final PeerQuery peers;

    ImageOwnership(String hostName, StateDirectory state, PeerQuery peers) {
        this.hostName = hostName;
        this.state = state;
        this.peers = peers;
    }

    /**
     * Refuses to start a VM with images of which another host may have newer ones, unless that host says that it has
     * not. A copy that this host kept as a backup is completed from its log first.
     *
     * @param forceStale the operator's word that these images are to be used whatever others have
     * @return the highest term that the markers name, term 0 without any: the VM starts in a later one
     */
    Term requireNewest(VmDefinition definition, boolean forceStale) throws OperationException {
        Term term = Term.NONE;
        for (VmDefinition.Disk disk : definition.disks()) {
            ImageMarker marker = marker(disk);
            if (marker != null) {
                term = marker.term().isAfter(term) ? marker.term() : term;
                if (marker.role() == ImageMarker.Role.SYNCHRONIZING && !isWholeByItsLog(disk, marker)) {
                    throw new OperationException(
                            Kind.REFUSED,
                            "disk %s: %s was being copied from host %s when that ended, and is no whole image"
                                    .formatted(
                                            disk.name(),
                                            disk.image(),
                                            marker.peer().name()),
                            "protect the VM by this host again, or use another image");
                }
                boolean takenOver = marker.host().equals(hostName) && wasTakenOverHere(marker);
                if (!forceStale && !takenOver) {
                    requireNotTakenOver(disk, marker);
                }
                recover(disk, marker, takenOver);
            }
        }
        return term;
    }

    /** The log becomes consistent before the marker says so: a host that died in between has a whole image all the same. */
    private static boolean isWholeByItsLog(VmDefinition.Disk disk, ImageMarker marker) throws OperationException {
        Path log = marker.redoLog();
        if (log == null || Files.notExists(log)) {
            return false;
        }
        try {
            return isOf(RedoLog.inspect(log), disk, marker);
        } catch (DiskException e) {
            throw cannotRecover(disk, e);
        }
    }

    /** A take-over here is on record before the markers are removed. */
    private boolean wasTakenOverHere(ImageMarker marker) {
        StateDirectory.Ownership known = state.ownership(marker.vm());
        return known.activated() && known.term() > marker.term().value();
    }

    private static @Nullable ImageMarker marker(VmDefinition.Disk disk) throws OperationException {
        try {
            return ImageMarker.read(disk.image()).orElse(null);
        } catch (DiskException e) {
            throw new OperationException(
                    Kind.FAILED,
                    "disk %s: who owns %s can't be told: %s".formatted(disk.name(), disk.image(), e.getMessage()),
                    "restore that file; or remove it, if no other host has this VM",
                    e);
        }
    }

    /** What counts is the VM whose image it is, whatever the definition calls the one that is to start. */
    private void requireNotTakenOver(VmDefinition.Disk disk, ImageMarker marker) throws OperationException {
        String problem = switch (peers.ask(marker.peer().address(), marker.vm(), ANSWER_LIMIT)) {
            case PeerAnswer.Answered(OwnerAnswer owner) -> newerThere(marker, owner);
            case PeerAnswer.Refused refused -> "does not answer: " + refused.cause();
            case PeerAnswer.Unreachable unreachable -> "does not answer: " + unreachable.cause();
        };
        if (problem != null && marker.role() == ImageMarker.Role.MOVING) {
            throw new OperationException(
                    Kind.REFUSED,
                    "disk %s: host %s may run VM %s with this very image, %s; it %s"
                            .formatted(disk.name(), shown(marker.peer()), marker.vm(), disk.image(), problem),
                    "run the VM there; or, if it certainly does not run any more, use --force-stale");
        }
        if (problem != null) {
            throw new OperationException(
                    Kind.REFUSED,
                    "disk %s: host %s may have a newer image than %s; it %s"
                            .formatted(disk.name(), shown(marker.peer()), disk.image(), problem),
                    "run the VM there; or, to lose what was written there, use --force-stale");
        }
    }

    /** A primary knows its backup by its address alone. */
    private static String shown(ImageMarker.Peer peer) {
        return peer.name().equals(peer.address().host())
                ? peer.address().toString()
                : peer.name() + " at " + peer.address();
    }

    /** What the other host says against these images being the newest, or null. */
    private static @Nullable String newerThere(ImageMarker marker, OwnerAnswer owner) {
        return switch (owner.state()) {
            // A later term than the marker's means that the VM went on there; with the same image, if that is shared.
            case UNKNOWN -> marker.role() == ImageMarker.Role.MOVING ? null : later(marker, owner);
            case STOPPED -> marker.role() == ImageMarker.Role.MOVING ? null : said(owner);
            case STANDBY, ACTIVATING, RUNNING_ALONE, RUNNING_PROTECTED, RUNNING_UNCERTAIN, FENCED -> said(owner);
        };
    }

    private static @Nullable String later(ImageMarker marker, OwnerAnswer owner) {
        return owner.term().isAfter(marker.term()) ? "had the VM later, in term " + owner.term() : null;
    }

    private static String said(OwnerAnswer owner) {
        return "says %s %s".formatted(owner.state(), owner.text()).strip();
    }

    /** @param takenOver the VM ran here afterwards: a log that is gone by now had been brought into the images before */
    private static void recover(VmDefinition.Disk disk, ImageMarker marker, boolean takenOver)
            throws OperationException {
        Path log = marker.redoLog();
        if (log == null || (takenOver && Files.notExists(log))) {
            return;
        }
        try {
            Recovery recovered = RedoLog.recover(log);
            LOG.info("{}: {}", disk.image(), recovered);
            if (!isOf(recovered, disk, marker)) {
                throw new OperationException(
                        Kind.REFUSED,
                        "disk %s: %s is a copy that is whole only together with its log, and %s is not that: %s"
                                .formatted(disk.name(), disk.image(), log, recovered),
                        "use the image where it was made, or protect the VM by this host again");
            }
        } catch (DiskException e) {
            throw cannotRecover(disk, e);
        }
    }

    private static OperationException cannotRecover(VmDefinition.Disk disk, DiskException cause) {
        return new OperationException(
                Kind.FAILED,
                "disk %s: the last writes can't be brought into %s: %s"
                        .formatted(disk.name(), disk.image(), cause.getMessage()),
                "mend that and try again",
                cause);
    }

    private static boolean isOf(Recovery recovered, VmDefinition.Disk disk, ImageMarker marker) {
        return recovered.outcome() != Recovery.Outcome.INCOMPLETE
                && recovered.vm().equals(marker.vm())
                && recovered.term().equals(marker.term())
                && recovered.images().contains(disk.image());
    }

    /**
     * From now on {@code peer} may come to own newer images than these; on disk when this returns.
     *
     * @param shared it may come to own these very images
     */
    synchronized void notePeer(VmDefinition definition, Term term, HostAddress peer, boolean shared)
            throws DiskException {
        for (VmDefinition.Disk disk : definition.disks()) {
            new ImageMarker(
                            definition.name(),
                            disk.name(),
                            hostName,
                            term,
                            shared ? ImageMarker.Role.MOVING : ImageMarker.Role.PROTECTED,
                            new ImageMarker.Peer(peer.host(), peer),
                            null,
                            Instant.now())
                    .write(disk.image());
        }
    }

    /** Nobody else can own newer images than these any more. A marker that stays costs a question at the next start. */
    synchronized void forget(VmDefinition definition) {
        for (VmDefinition.Disk disk : definition.disks()) {
            try {
                ImageMarker.remove(disk.image());
            } catch (DiskException e) {
                LOG.warn("the marker of {} can't be removed: {}", disk.image(), e.getMessage());
            }
        }
    }

    /**
     * The VM was taken over here, which is on record: these images are the newest. Markers that a later session has written
     * stay.
     *
     * @param session the one by which it came here
     */
    synchronized void retire(List<Path> images, Term session) throws DiskException {
        for (Path image : images) {
            ImageMarker marker = ImageMarker.read(image).orElse(null);
            if (marker != null && marker.term().equals(session)) {
                ImageMarker.remove(image);
            }
        }
    }
}
