package remus.availability;

import java.util.Arrays;
import java.util.List;
import remus.availability.ModelMessage.Kind;
import remus.availability.OwnershipAction.Question;
import remus.base.EpochId;
import remus.base.Term;

/**
 * What the daemons of a {@link ModelWorld} do around the state machines: they give them events, do their actions, and move
 * checkpoints and frames.
 */
final class ModelShell {
    private final ModelWorld world;

    ModelShell(ModelWorld world) {
        this.world = world;
    }

    // ---- world.hosts

    void primary(int host, PrimaryEvent event) {
        PrimaryState state = world.hosts[host].primary;
        if (state != null) {
            Step<PrimaryState> step = world.rules.primary(state, event);
            world.hosts[host].primary = step.state();
            world.hosts[host].requests = step.state().requests();
            act(host, step.actions());
        }
    }

    void backup(int host, BackupEvent event) {
        BackupState state = world.hosts[host].backup;
        if (state != null) {
            Step<BackupState> step = world.rules.backup(state, event);
            world.hosts[host].backup = step.state();
            world.hosts[host].requests = step.state().requests();
            act(host, step.actions());
        }
    }

    void retry(int host) {
        world.hosts[host].retryDue = false;
        if (world.hosts[host].hasBackup()) {
            backup(host, new BackupEvent.RetryDue());
        } else {
            primary(host, new PrimaryEvent.RetryDue());
        }
    }

    void run(ModelHost host) {
        int frame = world.frames++;
        host.contains |= 1 << frame;
        if (host.flows) {
            world.released |= 1 << frame;
            host.flowedIn = host.aloneTerm();
            ModelChecks.require(!host.wokeBesideOwner, "frames leave a host that woke beside another owner");
        } else {
            host.heldFor[frame] = (byte) (host.sealed + 1);
        }
    }

    void seal(int index) {
        ModelHost host = world.hosts[index];
        long session = host.primarySession();
        if (host.sealed == 0) {
            primary(index, new PrimaryEvent.FirstCheckpointPaused(new Term(session)));
        }
        host.sealed++;
        host.sealedFrames[host.sealed] = host.contains;
        send(index, checkpoint(host, session, host.sealed));
    }

    private static ModelMessage checkpoint(ModelHost host, long session, int epoch) {
        return new ModelMessage(Kind.CHECKPOINT, host.connection, session, epoch, host.sealedFrames[epoch], host.copy);
    }

    /** Opens a connection for a session and says hello. */
    void reconnect(int index, long session) {
        connect(index);
        send(index, message(Kind.HELLO_AGAIN, world.hosts[index].connection, session, 0));
    }

    private void connect(int index) {
        ModelHost host = world.hosts[index];
        host.connection = ++world.connections;
        // A hello means nothing but on the connection it was said on, and that is closed.
        world.wires.forEach(
                wire -> wire.removeIf(message -> message.kind() == Kind.WELCOME || message.kind() == Kind.HELLO_AGAIN));
        host.outBroken = world.cut[index];
        host.inBroken = world.cut[1 - index];
    }

    private static ModelMessage message(Kind kind, int connection, long session, int epoch) {
        return new ModelMessage(kind, connection, session, epoch, 0, 0);
    }

    private void send(int from, ModelMessage message) {
        if (!world.hosts[from].outBroken && world.hosts[1 - from].up) {
            world.wires.get(1 - from).add(message);
        } else {
            world.hosts[from].outBroken = true;
        }
    }

    /** The backup sends on the connection of the last hello, which the primary may have given up. */
    private void answer(int from, Kind kind, long session, int epoch) {
        ModelHost other = world.hosts[1 - from];
        if (other.connection == world.hosts[from].attached && !other.inBroken && other.primarySession() != 0) {
            world.wires.get(1 - from).add(message(kind, other.connection, session, epoch));
        }
    }

    void loaded(int index) {
        ModelHost host = world.hosts[index];
        host.loading = false;
        host.guest = true;
        host.guestRuns = true;
        host.intactGuest = true;
        host.contains = host.loadingFrames;
        host.sealed = 0;
        host.dropOutput();
        backup(index, new BackupEvent.StandbyRuns());
    }

    void guestDies(int index) {
        world.faults++;
        ModelHost host = world.hosts[index];
        host.guest = false;
        host.guestRuns = false;
        host.intactGuest = false;
        host.dropOutput();
        if (host.hasBackup()) {
            backup(index, new BackupEvent.GuestDied("fault"));
        } else {
            primary(index, new PrimaryEvent.GuestDied("fault"));
        }
    }

    /** The network goes with the daemon, so nothing that was held ever leaves. */
    void restartDaemon(int index) {
        world.faults++;
        ModelHost host = world.hosts[index];
        world.forgetAsks(index);
        boolean runs = host.guestRuns;
        int contains = host.contains;
        host.loseAll();
        resetConnections(index);
        host.guest = true;
        host.guestRuns = runs;
        host.intactGuest = true;
        host.contains = contains;
        host.incarnation++;
        host.sealed = 0;
        Step<PrimaryState> step = world.rules.restarted(world.requests(index));
        host.primary = step.state();
        host.requests = step.state().requests();
        act(index, step.actions());
    }

    void wake(int index) {
        ModelHost host = world.hosts[index];
        host.paused = false;
        ModelHost other = world.hosts[1 - index];
        host.wokeBesideOwner =
                other.guest && other.primary != null && other.primary.role().output() == PrimaryState.Output.FLOWS;
        primary(index, new PrimaryEvent.WokeLate());
    }

    /** What {@code host} has not read yet is lost; what it has sent is in the other's socket buffer. */
    void resetConnections(int host) {
        world.wires.get(host).clear();
        world.hosts[1 - host].outBroken = true;
        world.hosts[1 - host].inBroken = true;
    }

    // ---- messages

    void deliver(int to, ModelMessage message) {
        Term session = new Term(message.session());
        ModelHost host = world.hosts[to];
        switch (message.kind()) {
            case HELLO_NEW -> {
                host.attached = Math.max(host.attached, message.connection());
                offered(to, session);
            }
            case PRE_COPY -> {
                if (host.imageSession == message.session()) {
                    host.imageCopy = message.copy();
                }
            }
            case CHECKPOINT -> checkpointArrived(to, message);
            case HELLO_AGAIN -> {
                host.attached = Math.max(host.attached, message.connection());
                returned(to, session);
            }
            case SIGN_OFF -> backup(to, new BackupEvent.SignOffReceived(session, "unprotect"));
            case GUEST_DEAD -> {
                if (host.backupSession() == message.session()) {
                    backup(to, new BackupEvent.PrimaryLost("QEMU dead", false));
                }
            }
            case ACKNOWLEDGE -> {
                noteAcknowledged(host, message);
                primary(to, new PrimaryEvent.Acknowledged(session, new EpochId(message.epoch())));
            }
            case WELCOME -> {
                if (message.connection() == host.connection && host.primarySession() == message.session()) {
                    noteAcknowledged(host, message);
                    primary(to, new PrimaryEvent.Reconnected(session, new EpochId(message.epoch())));
                    for (int epoch = message.epoch() + 1; epoch <= host.sealed; epoch++) {
                        send(to, checkpoint(host, message.session(), epoch));
                    }
                }
            }
            case ACTIVATING -> primary(to, new PrimaryEvent.YieldRequested(session, "the backup takes over"));
            case SIGNED_OFF, NO_SUCH_SESSION -> primary(to, new PrimaryEvent.BackupLost(session, "no image"));
        }
    }

    private static void noteAcknowledged(ModelHost host, ModelMessage message) {
        if (host.primarySession() == message.session()) {
            host.acknowledged = Math.max(host.acknowledged, message.epoch());
        }
    }

    private void offered(int to, Term session) {
        ModelHost host = world.hosts[to];
        if (host.hasPrimary()) {
            primary(to, new PrimaryEvent.SessionOffered(session));
        } else if (host.hasBackup()) {
            backup(to, new BackupEvent.SessionOffered(session, ModelWorld.NAMES.get(1 - to)));
        } else {
            Step<BackupState> step = BackupOwnership.offered(world.requests(to), session, ModelWorld.NAMES.get(1 - to));
            host.backup = step.state();
            host.requests = step.state().requests();
            act(to, step.actions());
        }
    }

    private void returned(int to, Term session) {
        if (world.hosts[to].hasBackup()) {
            backup(to, new BackupEvent.PrimaryReturned(session));
        } else if (world.hosts[to].hasPrimary()) {
            answer(to, Kind.ACTIVATING, session.value(), 0);
        } else {
            answer(to, Kind.NO_SUCH_SESSION, session.value(), 0);
        }
    }

    private void checkpointArrived(int to, ModelMessage message) {
        ModelHost host = world.hosts[to];
        if (host.imageSession != message.session()
                || host.imageClosed
                || host.imageCopy == 0
                || message.epoch() != host.imageEpoch + 1) {
            return;
        }
        host.imageEpoch = message.epoch();
        host.imageFrames = message.frames();
        host.imageCheckpointCopy = message.copy();
        if (host.imageCopy == message.copy()) {
            // A checkpoint on top of another copying's pages is not whole, whatever the backup takes it for.
            world.wholeByTerm[(int) message.session()] = (byte) message.epoch();
            host.intactImage = message.session();
        }
        backup(to, new BackupEvent.CheckpointWhole(new Term(message.session()), new EpochId(message.epoch())));
    }

    // ---- actions

    void act(int index, List<OwnershipAction> actions) {
        for (OwnershipAction action : actions) {
            act(index, action);
        }
    }

    private void act(int index, OwnershipAction action) {
        ModelHost host = world.hosts[index];
        switch (action) {
            case OwnershipAction.Hold() -> host.flows = false;
            case OwnershipAction.Release(EpochId upTo) -> release(index, (int) upTo.value());
            case OwnershipAction.Flow() -> flow(host);
            case OwnershipAction.Discard() -> host.dropOutput();
            case OwnershipAction.BootGuest() -> {
                host.guest = true;
                host.guestRuns = true;
                host.intactGuest = true;
            }
            case OwnershipAction.PauseGuest() -> host.guestRuns = false;
            case OwnershipAction.ResumeGuest() -> host.guestRuns = host.guest;
            case OwnershipAction.KillGuest() -> {
                host.guest = false;
                host.guestRuns = false;
                host.dropOutput();
            }
            case OwnershipAction.AskArbiter(long ask, Question question) ->
                world.asks.add(new ModelWorld.Asked(index, ask, question, null, false));
            case OwnershipAction.AskAgainLater() -> host.retryDue = true;
            case OwnershipAction.AwaitActivation(Term term) -> host.awaitedTerm = term.value();
            case OwnershipAction.StartSession(Term session, HostId _) -> startSession(index, session.value());
            case OwnershipAction.EndSession _, OwnershipAction.Report _ -> {}
            case OwnershipAction.SignOff(Term session) ->
                send(index, message(Kind.SIGN_OFF, host.connection, session.value(), 0));
            case OwnershipAction.Reconnect(Term session) -> reconnect(index, session.value());
            case OwnershipAction.ReportGuestDead(Term session) ->
                send(index, message(Kind.GUEST_DEAD, host.connection, session.value(), 0));
            case OwnershipAction.AcceptSession(Term session) -> {
                // Staging is cleared on a new term.
                if (host.imageSession != session.value()) {
                    host.forgetImage();
                    host.imageSession = session.value();
                    host.imageClosed = false;
                    host.intactImage = 0;
                }
            }
            case OwnershipAction.RefuseSession(Term session, String _) ->
                answer(index, Kind.NO_SUCH_SESSION, session.value(), 0);
            case OwnershipAction.Welcome(Term session, EpochId lastWhole) ->
                answer(index, Kind.WELCOME, session.value(), (int) lastWhole.value());
            case OwnershipAction.Acknowledge(Term session, EpochId epoch) ->
                answer(index, Kind.ACKNOWLEDGE, session.value(), (int) epoch.value());
            case OwnershipAction.AcknowledgeNoMore _ -> host.imageClosed = true;
            case OwnershipAction.TellPrimaryActivating(Term session) ->
                answer(index, Kind.ACTIVATING, session.value(), 0);
            case OwnershipAction.AnswerSignedOff(Term session) -> {
                host.intactImage = 0;
                answer(index, Kind.SIGNED_OFF, session.value(), 0);
            }
            case OwnershipAction.DropImage _ -> {
                host.forgetImage();
                host.loading = false;
            }
            case OwnershipAction.LoadStandby() -> {
                ModelChecks.require(host.imageEpoch > 0, "there is nothing to load");
                ModelChecks.require(
                        host.imageCopy == host.imageCheckpointCopy, "a checkpoint is loaded that is not whole");
                host.loading = true;
                host.loadingFrames = host.imageFrames;
                host.guest = false;
                host.guestRuns = false;
            }
            case OwnershipAction.BecomePrimary(PrimaryState state) -> host.primary = state;
        }
    }

    private void startSession(int index, long session) {
        ModelHost host = world.hosts[index];
        connect(index);
        host.copy = ++world.copies;
        host.sealed = 0;
        host.acknowledged = 0;
        Arrays.fill(host.sealedFrames, 0);
        send(index, message(Kind.HELLO_NEW, host.connection, session, 0));
        send(index, new ModelMessage(Kind.PRE_COPY, host.connection, session, 0, 0, host.copy));
    }

    private void release(int index, int upTo) {
        ModelHost host = world.hosts[index];
        int session = (int) host.primarySession();
        for (int frame = 0; frame < world.frames; frame++) {
            if (host.heldFor[frame] > 0 && host.heldFor[frame] <= upTo) {
                ModelChecks.require(
                        world.wholeByTerm[session] >= host.heldFor[frame],
                        "frames of epoch %s leave, and nothing of it was ever whole on the backup",
                        host.heldFor[frame]);
                ModelChecks.require(
                        (world.protectedTerms & 1 << session) != 0,
                        "frames of epoch %s leave by a commit, and the record never named the backup",
                        host.heldFor[frame]);
                ModelChecks.require(!host.wokeBesideOwner, "frames leave a host that woke beside another owner");
                host.heldFor[frame] = 0;
                world.released |= 1 << frame;
            }
        }
    }

    private void flow(ModelHost host) {
        host.flows = true;
        host.wokeBesideOwner = false;
        for (int frame = 0; frame < world.frames; frame++) {
            if (host.heldFor[frame] > 0) {
                host.heldFor[frame] = 0;
                world.released |= 1 << frame;
            }
        }
    }
}
