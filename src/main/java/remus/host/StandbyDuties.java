package remus.host;

import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.availability.FailureDetector;
import remus.availability.OwnershipAction;
import remus.availability.PrimaryState;
import remus.base.EpochId;
import remus.replication.BackupConnection;
import remus.wire.Refusal;
import remus.wire.Welcome;

/**
 * Does what the ownership of a VM that is backed up here demands: towards the primary by {@link PrimaryContact}, with the
 * copy by {@link StandbyCopy}; {@link StandbyVm} loads that when {@link #isToLoad}, and hands it over when it is
 * {@link #taken}. Whether it is right is decided before. Confined to the backup's agent thread.
 */
final class StandbyDuties {
    private static final Logger LOG = LoggerFactory.getLogger(StandbyDuties.class);

    /** So many attempts to load follow each other at once, all others after a pause. */
    private static final int MAX_PROMPT_ATTEMPTS = 5;

    private static final Duration LOAD_RETRY_PAUSE = Duration.ofSeconds(1);

    private final HostServices services;
    private final String vm;
    private final StandbyCopy copy;
    private final PrimaryContact primary;
    private final StandbyStory story;
    private final FailureDetector detector;
    private @Nullable BackupConnection returning;
    private @Nullable PrimaryState taken;
    private boolean isHandedOver;
    private boolean toLoad;
    private int failures;
    private long failedAtNanos = Long.MIN_VALUE / 2;

    /** @param detector learns that the primary is heard when it returns */
    StandbyDuties(
            HostServices services, StandbyOwnership.Standby standby, StandbyStory story, FailureDetector detector) {
        this.services = services;
        vm = standby.hello().vm();
        copy = standby.copy();
        primary = standby.primary();
        this.story = story;
        this.detector = detector;
    }

    void does(OwnershipAction action) {
        switch (action) {
            case OwnershipAction.Acknowledge(var _, EpochId epoch) -> primary.acknowledge(epoch);
            case OwnershipAction.Welcome _ -> welcome();
            case OwnershipAction.AcknowledgeNoMore _ -> primary.fallSilent();
            case OwnershipAction.TellPrimaryActivating _ -> tellPrimary();
            case OwnershipAction.AnswerSignedOff _ -> primary.signedOff("image dropped by " + services.hostName());
            case OwnershipAction.LoadStandby _ -> toLoad = true;
            case OwnershipAction.BecomePrimary(PrimaryState state) -> taken = state;
            case OwnershipAction.KillGuest _ -> copy.dropLoaded();
            case OwnershipAction.Report(String reason) -> story.report(reason);
            case OwnershipAction.DropImage(String reason) -> LOG.info("VM {}: its image is dropped: {}", vm, reason);
            case OwnershipAction.RefuseSession(var _, String reason) -> refuse(Refusal.Code.UNKNOWN_SESSION, reason);
            // Nothing of a VM that is being activated leaves before it is handed over.
            case OwnershipAction.Flow _, OwnershipAction.Discard _, OwnershipAction.AcceptSession _ -> {}
            case OwnershipAction.Hold _,
                    OwnershipAction.Release _,
                    OwnershipAction.BootGuest _,
                    OwnershipAction.PauseGuest _,
                    OwnershipAction.ResumeGuest _,
                    OwnershipAction.StartSession _,
                    OwnershipAction.EndSession _,
                    OwnershipAction.SignOff _,
                    OwnershipAction.Reconnect _,
                    OwnershipAction.ReportGuestDead _,
                    OwnershipAction.AskArbiter _,
                    OwnershipAction.AskAgainLater _,
                    OwnershipAction.AwaitActivation _ ->
                throw new IllegalArgumentException(action + " is nothing that a backup does");
        }
    }

    // ---- towards the primary

    /** What {@code decide} demands towards the primary is done on {@code next}, by which it has come back. */
    void answering(BackupConnection next, Runnable decide) {
        returning = next;
        try {
            decide.run();
        } finally {
            returning = null;
        }
    }

    /** It is where it was: the connection of the moment gives way. */
    private void welcome() {
        BackupConnection next = returning;
        if (next == null) {
            return;
        }
        primary.disconnect();
        detector.heard(services.time().nanos());
        EpochId from = copy.receiver().resume();
        if (from == null) {
            // No end of the session: the primary comes again.
            refuse(Refusal.Code.OTHER, "the first checkpoint waits for this host's disks");
            return;
        }
        primary.reconnected(next);
        primary.welcome(
                from,
                new Welcome(
                        services.hostName(), services.installation().features().version(), List.of(), List.of()));
        story.reconnected(copy.lastWhole());
    }

    /** The primary does not go on with the VM, and waits. */
    void isHandedOver() {
        isHandedOver = true;
    }

    /** Anything else would let a primary that comes back go on beside the VM that is about to run here. */
    private void tellPrimary() {
        if (returning == null && isHandedOver) {
            return; // what comes for the guest there is still wanted here, until it is told that it runs
        }
        if (returning == null) {
            primary.activated(story.cause());
        } else {
            refuse(Refusal.Code.ACTIVATED, story.cause());
        }
    }

    private void refuse(Refusal.Code code, String reason) {
        BackupConnection next = returning;
        if (next != null) {
            next.refuse(new Refusal(code, reason));
            next.close();
        }
    }

    // ---- taking over

    /** Whether the copy is to be loaded into a standby now; the answer is yes once for each attempt. */
    boolean isToLoad() {
        boolean isTooSoon =
                failures > MAX_PROMPT_ATTEMPTS && services.time().nanos() - failedAtNanos < LOAD_RETRY_PAUSE.toNanos();
        boolean now = toLoad && !isTooSoon;
        toLoad &= !now;
        return now;
    }

    /** Whether so many attempts have failed that others need not follow at once. */
    boolean failsAgainAndAgain() {
        return failures > MAX_PROMPT_ATTEMPTS;
    }

    /** An attempt has failed; the next one may have to wait. */
    void loadFailed(String why) {
        failures++;
        failedAtNanos = services.time().nanos();
        story.loadFailed(failures, why);
    }

    /** The state in which this host owns the VM alone; null: it does not, or not yet. */
    @Nullable
    PrimaryState taken() {
        return taken;
    }
}
