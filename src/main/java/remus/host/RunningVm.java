package remus.host;

import java.time.Duration;
import org.jspecify.annotations.Nullable;
import remus.api.Json;
import remus.api.WhenAlone;
import remus.availability.HostId;
import remus.availability.OwnershipRecord;
import remus.availability.RequestId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.qemu.VmDefinition;
import tools.jackson.core.JacksonException;

/**
 * What a daemon has to know to take over a VM that a former one has left running: kept as {@code vm.json} beside its QEMU.
 * Its process is in {@code qemu.pid}; what QEMU keeps where follows from the directory.
 *
 * <p>Written before QEMU runs, before a session begins, and when a new record says that the host is alone; so it never says
 * less than what others may hold of the VM. Written as well when it is to be protected by others than before, or not any more,
 * and before it is paused by command or resumed.
 *
 * @param version {@value #VERSION}; another one is not read
 * @param term of the last record that says that this host owns the VM alone
 * @param requestId of that record
 * @param spent the record's next term was used for a session
 * @param session the one since, whose backup may have a copy; null: none
 * @param protection how it is protected, or would be
 * @param wanted whether it is to have a backup all the time
 * @param paused whether the guest stands still by command
 * @param withheld whether the session's other host may come to own the very images of this one
 */
record RunningVm(
        int version,
        VmDefinition definition,
        long term,
        String requestId,
        boolean spent,
        @Nullable Session session,
        ProtectionSettings protection,
        boolean wanted,
        boolean paused,
        boolean withheld) {
    static final int VERSION = 1;

    /** The backup of a session, and what was agreed for the case that one loses the other. */
    record Session(
            long term, String backup, HostAddress address, Duration interval, Duration detect, WhenAlone whenAlone) {
        static Session of(Term term, HostId backup, HostAddress address, ProtectionSettings agreed) {
            return new Session(
                    term.value(), backup.name(), address, agreed.interval(), agreed.detect(), agreed.whenAlone());
        }

        Term sessionTerm() {
            return new Term(term);
        }

        HostId backupId() {
            return new HostId(backup);
        }
    }

    /** Only the key that tells whether the others can be understood. */
    private record Versioned(int version) {}

    /** One that is to be protected by {@code protection} from the start, if that names a backup. */
    static RunningVm alone(VmDefinition definition, OwnershipRecord record, ProtectionSettings protection) {
        return new RunningVm(
                VERSION,
                definition,
                record.term().value(),
                record.requestId().value(),
                false,
                null,
                protection,
                !protection.backups().isEmpty(),
                false,
                false);
    }

    /** The record that this host was alone by. */
    OwnershipRecord record(HostId self) {
        return OwnershipRecord.alone(new Term(term), self, new RequestId(requestId));
    }

    /** The highest term that this host has used for the VM. */
    Term lastTerm() {
        Session last = session;
        return new Term(Math.max(last == null ? 0 : last.term(), spent ? term + 1 : term));
    }

    RunningVm ownedBy(OwnershipRecord next, boolean isSpent) {
        return new RunningVm(
                VERSION,
                definition,
                next.term().value(),
                next.requestId().value(),
                isSpent,
                null,
                protection,
                wanted,
                paused,
                false);
    }

    RunningVm protectedBy(Session next) {
        return new RunningVm(VERSION, definition, term, requestId, spent, next, protection, wanted, paused, false);
    }

    RunningVm wished(ProtectionSettings next, boolean isWanted) {
        return new RunningVm(VERSION, definition, term, requestId, spent, session, next, isWanted, paused, withheld);
    }

    RunningVm paused(boolean isPaused) {
        return new RunningVm(
                VERSION, definition, term, requestId, spent, session, protection, wanted, isPaused, withheld);
    }

    RunningVm withholding() {
        return new RunningVm(VERSION, definition, term, requestId, spent, session, protection, wanted, paused, true);
    }

    String encode() {
        return Json.write(this);
    }

    /** @throws IllegalArgumentException saying what is wrong with the text */
    static RunningVm decode(String text) {
        try {
            @Nullable Versioned versioned = Json.read(text, Versioned.class);
            int version = versioned == null ? 0 : versioned.version();
            if (version != VERSION) {
                throw new IllegalArgumentException(
                        "its version is %d, and this daemon knows %d".formatted(version, VERSION));
            }
            RunningVm vm = Json.readStrictly(text, RunningVm.class);
            if (vm.definition() == null || vm.requestId() == null || vm.protection() == null || vm.term() < 1) {
                throw new IllegalArgumentException("it is not complete");
            }
            return vm;
        } catch (JacksonException e) {
            throw new IllegalArgumentException("it can't be understood: " + e.getOriginalMessage(), e);
        }
    }
}
