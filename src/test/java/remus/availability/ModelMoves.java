package remus.availability;

import java.util.ArrayList;
import java.util.List;

/** What can happen next in a {@link ModelWorld}, and what its hosts have reason to suspect. */
final class ModelMoves {
    private ModelMoves() {}

    static List<ModelMove> of(ModelWorld world) {
        List<ModelMove> moves = new ArrayList<>();
        boolean faultsLeft = world.faults < world.bounds.faults();
        for (int i = 0; i < world.asks.size(); i++) {
            ModelWorld.Asked asked = world.asks.get(i);
            if (asked.reply() == null) {
                moves.add(new ModelMove.Arbitrate(i));
            } else if (world.hosts[asked.host()].isAwake()) {
                moves.add(new ModelMove.Reply(i));
            }
            if (faultsLeft && !asked.givenUp() && world.hosts[asked.host()].isAwake()) {
                moves.add(new ModelMove.LoseReply(i));
            }
        }
        for (int to = 0; to < 2; to++) {
            addDeliveries(world, moves, to);
        }
        for (int host = 0; host < 2; host++) {
            addWork(world, moves, host);
            if (faultsLeft) {
                addFaults(world, moves, host);
            }
        }
        return moves;
    }

    private static void addDeliveries(ModelWorld world, List<ModelMove> moves, int to) {
        if (!world.hosts[to].isAwake()) {
            return;
        }
        List<ModelMessage> wire = world.wires.get(to);
        for (int i = 0; i < wire.size(); i++) {
            int connection = wire.get(i).connection();
            boolean first = true;
            for (int before = 0; before < i; before++) {
                first &= wire.get(before).connection() != connection;
            }
            if (first) {
                moves.add(new ModelMove.Deliver(to, i));
            }
        }
    }

    private static void addWork(ModelWorld world, List<ModelMove> moves, int index) {
        ModelHost host = world.hosts[index];
        if (world.cut[index]) {
            moves.add(new ModelMove.Heal(index));
        }
        if (!host.up) {
            moves.add(new ModelMove.Boot(index));
            return;
        }
        if (host.paused) {
            moves.add(new ModelMove.Wake(index));
            return;
        }
        if (mayRun(world, host)) {
            moves.add(new ModelMove.Run(index));
        }
        if (maySeal(world, host)) {
            moves.add(new ModelMove.Seal(index));
        }
        if (host.primary != null
                && host.primary.role() instanceof PrimaryState.Alone
                && world.sessions < world.bounds.sessions()) {
            moves.add(new ModelMove.Protect(index));
        }
        if (mayReconnect(world, index)) {
            moves.add(new ModelMove.Reconnect(index));
        }
        if (host.retryDue) {
            moves.add(new ModelMove.Retry(index));
        }
        if (host.awaitedTerm != 0) {
            moves.add(new ModelMove.ActivationOverdue(index));
        }
        if (host.loading) {
            moves.add(new ModelMove.Loaded(index));
        }
        if (hasReasonToSuspectBackup(world, index)) {
            moves.add(new ModelMove.SuspectBackup(index));
        }
        if (hasReasonToSuspectPrimary(world, index)) {
            moves.add(new ModelMove.SuspectPrimary(index));
        }
    }

    private static void addFaults(ModelWorld world, List<ModelMove> moves, int index) {
        ModelHost host = world.hosts[index];
        if (!world.cut[index]) {
            moves.add(new ModelMove.Cut(index));
        }
        if (!host.up) {
            return;
        }
        moves.add(new ModelMove.Crash(index));
        if (host.paused) {
            return;
        }
        moves.add(new ModelMove.Pause(index));
        if (host.guest) {
            moves.add(new ModelMove.RestartDaemon(index));
            moves.add(new ModelMove.GuestDies(index));
        }
        if (host.loading) {
            moves.add(new ModelMove.LoadFails(index));
        }
        if (host.primarySession() != 0) {
            if (host.sealed > 0) {
                moves.add(new ModelMove.Fence(index));
            }
            moves.add(new ModelMove.Unprotect(index));
            if (!hasReasonToSuspectBackup(world, index)) {
                moves.add(new ModelMove.SuspectBackup(index));
            }
        }
        if (host.backupSession() != 0
                && (host.backup != null && host.backup.role() instanceof BackupState.Standing)
                && !hasReasonToSuspectPrimary(world, index)) {
            moves.add(new ModelMove.SuspectPrimary(index));
        }
    }

    /** One frame for each epoch, or for each term alone, is enough to tell them apart. */
    private static boolean mayRun(ModelWorld world, ModelHost host) {
        if (!host.guest || !host.guestRuns || world.frames >= world.bounds.frames()) {
            return false;
        }
        if (host.flows) {
            return host.flowedIn != host.aloneTerm();
        }
        for (int frame = 0; frame < world.frames; frame++) {
            if (host.heldFor[frame] == host.sealed + 1) {
                return false;
            }
        }
        return true;
    }

    private static boolean maySeal(ModelWorld world, ModelHost host) {
        if (host.primarySession() == 0 || !host.guestRuns || host.primary == null) {
            return false;
        }
        if (host.sealed == 0) {
            return host.primary.role() instanceof PrimaryState.Synchronizing;
        }
        return host.sealed < world.bounds.epochs()
                && host.sealed - host.acknowledged < 2
                && host.sealedFrames[host.sealed] != host.contains;
    }

    private static boolean mayReconnect(ModelWorld world, int index) {
        ModelHost host = world.hosts[index];
        return host.primarySession() != 0 && host.sealed > 0 && (host.outBroken || host.inBroken) && !world.cut[index];
    }

    static boolean hasReasonToSuspectBackup(ModelWorld world, int index) {
        ModelHost host = world.hosts[index];
        long session = host.primarySession();
        if (session == 0) {
            return false;
        }
        ModelHost other = world.hosts[1 - index];
        return !other.isAwake()
                || host.outBroken
                || host.inBroken
                || !other.standsBy(session)
                || isSignOffUnanswered(world, host);
    }

    private static boolean isSignOffUnanswered(ModelWorld world, ModelHost host) {
        return host.primary != null
                && host.primary.role() instanceof PrimaryState.Leaving leaving
                && leaving.inquiry() == null
                && world.wires.stream()
                        .flatMap(List::stream)
                        .noneMatch(message -> message.kind() == ModelMessage.Kind.SIGN_OFF
                                || message.kind() == ModelMessage.Kind.SIGNED_OFF);
    }

    static boolean hasReasonToSuspectPrimary(ModelWorld world, int index) {
        ModelHost host = world.hosts[index];
        long session = host.backupSession();
        if (session == 0
                || host.backup == null
                || !(host.backup.role() instanceof BackupState.Receiving
                        || host.backup.role() instanceof BackupState.Standing)) {
            return false;
        }
        ModelHost other = world.hosts[1 - index];
        return !other.isAwake() || other.primarySession() != session || other.outBroken;
    }
}
