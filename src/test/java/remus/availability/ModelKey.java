package remus.availability;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.availability.OwnershipAction.Question;

/**
 * 128-bit fingerprint of a {@link ModelWorld}. Names that the protocol only compares (request ids, numbers of questions,
 * connections) are replaced by the order in which they occur, so that worlds with the same future look the same.
 */
final class ModelKey {
    private final List<Object> names = new ArrayList<>();
    private long high = 0x9E3779B97F4A7C15L;
    private long low = 0xC2B2AE3D27D4EB4FL;

    record Fingerprint(long high, long low) {}

    static Fingerprint of(ModelWorld world) {
        ModelKey key = new ModelKey();
        key.world(world);
        return new Fingerprint(key.high, key.low);
    }

    private void put(long value) {
        high = mix((high ^ value) * 0xFF51AFD7ED558CCDL);
        low = mix((low + value) * 0x9FB21C651E98DF25L + 0x2545F4914F6CDD1DL);
    }

    private static long mix(long value) {
        return value ^ value >>> 32 ^ value << 21;
    }

    private void put(boolean value) {
        put(value ? 1 : 2);
    }

    private void name(Object name) {
        int index = names.indexOf(name);
        if (index < 0) {
            index = names.size();
            names.add(name);
        }
        put(index);
    }

    private record Numbered(int host, long ask) {}

    private record Copy(int copy) {}

    private void world(ModelWorld world) {
        int latest = Math.max(world.hosts[0].connection, world.hosts[1].connection);
        record(world.record);
        for (int index = 0; index < 2; index++) {
            host(index, world.hosts[index], world.hosts[1 - index], latest);
            put(world.cut[index]);
            put(world.wires.get(index).size());
            for (ModelMessage message : world.wires.get(index)) {
                put(message.kind().name().hashCode());
                put(latest - message.connection());
                put(message.session());
                put(message.epoch());
                put(message.frames());
                copy(message.copy());
            }
        }
        put(world.asks.size());
        for (ModelWorld.Asked asked : world.asks) {
            put(asked.host());
            if (!asked.givenUp()) {
                name(new Numbered(asked.host(), asked.ask()));
            }
            question(asked.question());
            outcome(asked.reply());
            put(asked.givenUp());
        }
        put(world.faults);
        put(world.sessions);
        put(world.frames);
        put(world.released);
        put(world.protectedTerms);
        putAll(world.wholeByTerm);
    }

    /** Values below 8, 21 in a word. */
    private void putAll(byte[] values) {
        long word = 0;
        for (int i = 0; i < values.length; i++) {
            word = word << 3 | values[i];
            if (i % 21 == 20) {
                put(word);
                word = 0;
            }
        }
        put(word);
    }

    private void copy(int copy) {
        if (copy == 0) {
            put(-1);
        } else {
            name(new Copy(copy));
        }
    }

    private void host(int index, ModelHost host, ModelHost other, int latest) {
        // Connections matter to a primary with a session only.
        boolean connected = host.primarySession() != 0;
        long flags = 0;
        for (boolean flag : new boolean[] {
            host.up,
            host.paused,
            host.guest,
            host.guestRuns,
            host.flows,
            connected && host.outBroken,
            connected && host.inBroken,
            host.imageClosed,
            host.loading,
            host.retryDue,
            host.intactGuest,
            host.wokeBesideOwner
        }) {
            flags = flags << 1 | (flag ? 1 : 0);
        }
        put(flags);
        if (!host.up) {
            return;
        }
        put(host.contains);
        putAll(host.heldFor);
        put(host.flowedIn);
        put(connected ? Math.min(latest - host.connection, 2) : 2);
        put(host.attached == other.connection);
        copy(host.copy);
        put(host.sealed);
        put(host.acknowledged);
        for (int epoch = host.acknowledged; epoch <= host.sealed; epoch++) {
            put(host.sealedFrames[epoch]);
        }
        put(host.imageSession);
        copy(host.imageCopy);
        copy(host.imageCheckpointCopy);
        put(host.imageEpoch);
        put(host.imageFrames);
        put(host.loadingFrames);
        put(host.awaitedTerm);
        put(host.intactImage);
        primary(index, host.primary);
        backup(index, host.backup);
    }

    private void primary(int host, @Nullable PrimaryState state) {
        if (state == null) {
            put(-1);
            return;
        }
        switch (state.role()) {
            case PrimaryState.Claiming(Inquiry inquiry, boolean force) -> {
                put(0);
                inquiry(host, inquiry);
                put(force);
            }
            case PrimaryState.Alone(OwnershipRecord record, boolean spent) -> {
                put(1);
                record(record);
                put(spent);
            }
            case PrimaryState.Opening(OwnershipRecord record, boolean spent, HostId _, Inquiry inquiry) -> {
                put(2);
                record(record);
                put(spent);
                inquiry(host, inquiry);
            }
            case PrimaryState.Synchronizing(OwnershipRecord record, PrimaryState.Session session) -> {
                put(3);
                record(record);
                put(session.term().value());
            }
            case PrimaryState.Joining(OwnershipRecord record, PrimaryState.Session session) -> {
                put(4);
                record(record);
                put(session.term().value());
            }
            case PrimaryState.Entering entering -> {
                put(5);
                record(entering.record());
                put(entering.session().term().value());
                put(entering.acknowledged().value());
                put(entering.wokeLate());
                inquiry(host, entering.inquiry());
            }
            case PrimaryState.Protected(OwnershipRecord record, PrimaryState.Session session) -> {
                put(6);
                record(record);
                put(session.term().value());
            }
            case PrimaryState.Woken woken -> {
                put(7);
                record(woken.record());
                put(woken.session().term().value());
                put(woken.acknowledged().value());
                inquiry(host, woken.inquiry());
            }
            case PrimaryState.Leaving leaving -> {
                put(8);
                record(leaving.record());
                put(leaving.session().term().value());
                put(leaving.ending());
                inquiry(host, leaving.inquiry());
            }
            case PrimaryState.GoingAlone going -> {
                put(9);
                inquiry(host, going.inquiry());
                PrimaryState.Session former = going.former();
                put(former == null ? 0 : former.term().value());
                put(going.contact());
                put(going.ending());
            }
            case PrimaryState.Bequeathing(Inquiry inquiry, PrimaryState.Session session) -> {
                put(10);
                inquiry(host, inquiry);
                put(session.term().value());
            }
            case PrimaryState.Waiting(OwnershipRecord seen, boolean overdue, Inquiry inquiry) -> {
                put(11);
                record(seen);
                put(overdue);
                inquiry(host, inquiry);
            }
            case PrimaryState.Gone _ -> put(12);
        }
    }

    private void backup(int host, @Nullable BackupState state) {
        if (state == null) {
            put(-1);
            return;
        }
        BackupState.Session session = state.role().session();
        put(session == null ? 0 : session.term().value());
        switch (state.role()) {
            case BackupState.Receiving _ -> put(20);
            case BackupState.Standing standing -> {
                put(21);
                put(standing.lastWhole().value());
            }
            case BackupState.Checking checking -> {
                put(22);
                put(checking.lastWhole().value());
                put(checking.byCommand());
                inquiry(host, checking.inquiry());
            }
            case BackupState.Requesting(BackupState.Session _, Inquiry inquiry) -> {
                put(23);
                inquiry(host, inquiry);
            }
            case BackupState.Activating(OwnershipRecord record, BackupState.Session _, Inquiry inquiry) -> {
                put(24);
                record(record);
                inquiry(host, inquiry);
            }
            case BackupState.Confirming(OwnershipRecord record, BackupState.Session _, Inquiry inquiry) -> {
                put(25);
                record(record);
                inquiry(host, inquiry);
            }
            case BackupState.Taken _ -> put(26);
            case BackupState.Dropped _ -> put(27);
        }
    }

    private void record(@Nullable OwnershipRecord record) {
        if (record == null) {
            put(-1);
            return;
        }
        put(record.term().value());
        put(ModelWorld.NAMES.indexOf(record.owner()));
        put(record.phase().name().hashCode());
        name(record.requestId());
    }

    private void inquiry(int host, @Nullable Inquiry inquiry) {
        if (inquiry == null) {
            put(-1);
            return;
        }
        Inquiry.Change change = inquiry.change();
        if (change == null) {
            put(-2);
        } else {
            record(change.expected());
            record(change.next());
        }
        put(inquiry.mayLand());
        switch (inquiry.step()) {
            case Inquiry.Step.Reading(long ask) -> {
                put(31);
                name(new Numbered(host, ask));
            }
            case Inquiry.Step.Setting(long ask) -> {
                put(32);
                name(new Numbered(host, ask));
            }
            case Inquiry.Step.Resting(boolean notNow) -> {
                put(33);
                put(notNow);
            }
        }
    }

    private void question(Question question) {
        switch (question) {
            case Question.Read() -> put(41);
            case Question.Set(OwnershipRecord expected, OwnershipRecord next) -> {
                put(42);
                record(expected);
                record(next);
            }
        }
    }

    private void outcome(Arbiter.@Nullable Outcome outcome) {
        switch (outcome) {
            case null -> put(50);
            case Arbiter.ReadOutcome.Found(OwnershipRecord found) -> {
                put(51);
                record(found);
            }
            case Arbiter.ReadOutcome.Absent() -> put(52);
            case Arbiter.ReadOutcome.Unavailable _ -> put(53);
            case Arbiter.SetOutcome.Done() -> put(54);
            case Arbiter.SetOutcome.Refused(OwnershipRecord current) -> {
                put(55);
                record(current);
            }
            case Arbiter.SetOutcome.Unknown _ -> put(56);
        }
    }
}
