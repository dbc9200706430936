package remus.availability;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** One host of a {@link ModelWorld}: its two state machines, its guest, its image and its timers. */
final class ModelHost {
    static final int MAX_EPOCHS = 4;
    static final int MAX_FRAMES = 8;

    boolean up = true;
    boolean paused;
    int incarnation;

    @Nullable
    PrimaryState primary;

    @Nullable
    BackupState backup;

    @Nullable
    Requests requests;

    // The guest: which frames its state knows to have sent, and the epoch that each held one waits for.
    boolean guest;
    boolean guestRuns;
    int contains;
    boolean flows;
    byte[] heldFor = new byte[MAX_FRAMES];
    long flowedIn = -1;

    // The session, on the primary.
    int connection;
    boolean outBroken;
    boolean inBroken;
    int copy;
    int sealed;
    int acknowledged;
    int[] sealedFrames = new int[MAX_EPOCHS + 1];

    // The image, on the backup.
    long imageSession;
    int imageCopy;
    int imageCheckpointCopy;
    int imageEpoch;
    int imageFrames;
    boolean imageClosed;
    int attached;
    boolean loading;
    int loadingFrames;

    boolean retryDue;
    long awaitedTerm;

    // What the checks remember: the session of an image that no fault destroyed, a guest that none did, and whether
    // this
    // host has slept until another one ran the VM.
    long intactImage;
    boolean intactGuest;
    boolean wokeBesideOwner;

    ModelHost copy() {
        ModelHost other = new ModelHost();
        other.up = up;
        other.paused = paused;
        other.incarnation = incarnation;
        other.primary = primary;
        other.backup = backup;
        other.requests = requests;
        other.guest = guest;
        other.guestRuns = guestRuns;
        other.contains = contains;
        other.flows = flows;
        other.heldFor = heldFor.clone();
        other.flowedIn = flowedIn;
        other.connection = connection;
        other.outBroken = outBroken;
        other.inBroken = inBroken;
        other.copy = copy;
        other.sealed = sealed;
        other.acknowledged = acknowledged;
        other.sealedFrames = sealedFrames.clone();
        other.imageSession = imageSession;
        other.imageCopy = imageCopy;
        other.imageCheckpointCopy = imageCheckpointCopy;
        other.imageEpoch = imageEpoch;
        other.imageFrames = imageFrames;
        other.imageClosed = imageClosed;
        other.attached = attached;
        other.loading = loading;
        other.loadingFrames = loadingFrames;
        other.retryDue = retryDue;
        other.awaitedTerm = awaitedTerm;
        other.intactImage = intactImage;
        other.intactGuest = intactGuest;
        other.wokeBesideOwner = wokeBesideOwner;
        return other;
    }

    /** Whether it takes part: the daemon runs. */
    boolean isAwake() {
        return up && !paused;
    }

    boolean hasPrimary() {
        return primary != null && !(primary.role() instanceof PrimaryState.Gone);
    }

    boolean hasBackup() {
        return backup != null
                && !(backup.role() instanceof BackupState.Dropped)
                && !(backup.role() instanceof BackupState.Taken);
    }

    /** Term of the session that this host is the primary of, or 0. */
    long primarySession() {
        PrimaryState state = primary;
        PrimaryState.Session session = state == null ? null : state.role().session();
        return session == null ? 0 : session.term().value();
    }

    long backupSession() {
        BackupState state = backup;
        BackupState.Session session = state == null ? null : state.role().session();
        return session == null ? 0 : session.term().value();
    }

    /** Whether it would welcome and acknowledge in {@code session}. */
    boolean standsBy(long session) {
        return up
                && backup != null
                && backupSession() == session
                && (backup.role() instanceof BackupState.Receiving
                        || backup.role() instanceof BackupState.Standing
                        || backup.role() instanceof BackupState.Checking);
    }

    /** Term in which this host is alone, or 0. */
    long aloneTerm() {
        PrimaryState state = primary;
        return switch (state == null ? null : state.role()) {
            case PrimaryState.Alone(OwnershipRecord record, boolean _) ->
                record.term().value();
            case PrimaryState.Opening opening -> opening.record().term().value();
            case PrimaryState.Synchronizing(OwnershipRecord record, PrimaryState.Session _) ->
                record.term().value();
            case null, default -> 0;
        };
    }

    void loseAll() {
        primary = null;
        backup = null;
        requests = null;
        outBroken = true;
        inBroken = true;
        guest = false;
        guestRuns = false;
        dropOutput();
        flowedIn = -1;
        forgetImage();
        intactImage = 0;
        intactGuest = false;
        loading = false;
        retryDue = false;
        awaitedTerm = 0;
        wokeBesideOwner = false;
    }

    void forgetImage() {
        imageSession = 0;
        imageCopy = 0;
        imageCheckpointCopy = 0;
        imageEpoch = 0;
        imageFrames = 0;
        imageClosed = false;
    }

    void dropOutput() {
        flows = false;
        Arrays.fill(heldFor, (byte) 0);
    }
}
