package remus.availability;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import remus.availability.Arbiter.ReadOutcome.Absent;
import remus.availability.Arbiter.ReadOutcome.Found;
import remus.availability.Arbiter.ReadOutcome.Unavailable;
import remus.availability.Arbiter.SetOutcome.Done;
import remus.availability.Arbiter.SetOutcome.Refused;
import remus.availability.OwnershipRecord.Phase;
import remus.base.Term;
import remus.base.Time;

/**
 * Stands in for an arbiter where there is none: each host keeps a record of its own for one VM and grants its own requests
 * by what it knows of the other. That rests on the failure detector and on the other's word, and so keeps less than
 * {@link Arbiter} promises: hosts that are cut off from each other may both be granted the VM. docs/SPECIFICATION.md says
 * what remains.
 *
 * <pre>
 * asked by          for                          granted
 * the owner         start, {protected}           at once
 * the owner         {alone} from {alone}         at once, unless an image may exist ({@link #imageMayBeAt})
 * the owner         {alone} from {protected},    when the backup has said that it has no image, or an operator vouches
 *                   or where an image may exist  for that; with {@link WhenAlone#CONTINUE} also after three detection
 *                                                times, unless the backup, asked once more, stands by or takes over
 * the backup        {activating}                 at once: it asks when the primary is silent
 * the new owner     {alone} from {activating}    as soon as that is on disk
 * the former owner  {alone} from {activating}    when the other has said that it has nothing of the VM
 * </pre>
 *
 * What is not granted is refused with the record as it is, which means "not now": it may be asked again. While the owner
 * waits for three detection times it has to ask at least once in each; after a longer gap, in which this process was not
 * running and could not hear the backup, the time starts anew. No set is ever answered {@link SetOutcome.Unknown}; a read
 * is not answered between {@link #wokeLate} and the other host's next word.
 *
 * <p>Confined to the VM's agent thread, on which answers come; {@link Surroundings} hand over to it.
 */
public final class LocalArbiter implements Arbiter {
    /** A primary goes on alone only after this many detection times without its backup. */
    public static final int ALONE_AFTER_DETECTION_TIMES = 3;

    /** What the other host says of the VM. */
    public enum Word {
        /** No answer. */
        UNREACHABLE,
        /** It has nothing of the VM. */
        KNOWS_NOTHING,
        /** It is what this host takes it for: a backup that stands by, a primary with its backup. */
        AS_RECORDED,
        /** It is taking over. */
        TAKES_OVER,
        /** It has the VM for itself. */
        OWNS,
        /** It has had the VM for itself, and that has ended. */
        HAS_OWNED
    }

    /** What is done for it. */
    public interface Surroundings {
        /** Asks the other host; {@link #peerSaid} follows within a detection time or so. */
        void askPeer();

        /** Writes the record down, so that a restarted daemon finds it; {@code durable} runs when it is on disk. */
        void note(OwnershipRecord record, Runnable durable);
    }

    private final HostId self;
    private final long detectNanos;
    private final WhenAlone whenAlone;
    private final Time time;
    private final Surroundings surroundings;
    private @Nullable OwnershipRecord current;
    private @Nullable HostId imageAt;
    private boolean backupGone;
    private boolean doubtful;
    private boolean waits;
    private long waitingSinceNanos;
    private long lastAskedNanos;
    private @Nullable Pending pending;

    private record Pending(OwnershipRecord next, Consumer<? super SetOutcome> answer) {}

    /** @param noted the record that was noted last, or null */
    public LocalArbiter(
            HostId self,
            long detectNanos,
            WhenAlone whenAlone,
            Time time,
            Surroundings surroundings,
            @Nullable OwnershipRecord noted) {
        this.self = self;
        this.detectNanos = detectNanos;
        this.whenAlone = whenAlone;
        this.time = time;
        this.surroundings = surroundings;
        current = noted;
    }

    /** This host became the backup of {@code primary} under that session: as far as it knows, the record says so. */
    public void joined(Term session, HostId primary) {
        current = OwnershipRecord.protectedBy(session, primary, self, new RequestId(primary + ".session." + session));
    }

    /**
     * The first full checkpoint goes to {@code backup}, which may activate it from then on without asking anybody: to be
     * called before any of it is sent.
     */
    public void imageMayBeAt(HostId backup) {
        imageAt = backup;
        backupGone = false;
    }

    /** The backup has no image and never will activate, by its own word or an operator's. */
    public void backupGone() {
        backupGone = true;
    }

    /** This host was not running for longer than the detection time: what it knows of the other may be long past. */
    public void wokeLate() {
        doubtful = true;
    }

    /** The other host was asked, or said so by itself; its hello on a new connection is {@link Word#AS_RECORDED}. */
    public void peerSaid(Word word) {
        OwnershipRecord record = current;
        Pending asked = pending;
        pending = null;
        if (record == null) {
            return;
        }
        doubtful &= word == Word.UNREACHABLE;
        switch (word) {
            case UNREACHABLE -> {}
            case AS_RECORDED -> {
                waits = false;
                backupGone = false;
            }
            case KNOWS_NOTHING -> backupGone |= !self.equals(record.backup());
            case TAKES_OVER -> lost(record, false);
            case OWNS -> lost(record, true);
            case HAS_OWNED -> {
                if (asked == null) {
                    lost(record, true);
                }
            }
        }
        if (asked != null) {
            resolve(asked, word);
        }
    }

    /** The other host has gone on from the record that both knew. */
    private void lost(OwnershipRecord record, boolean alone) {
        if (record.isOwnedBy(self)) {
            HostId other = record.phase() == Phase.PROTECTED ? record.backup() : imageAt;
            if (other != null) {
                Term session = record.phase() == Phase.PROTECTED
                        ? record.term()
                        : record.term().next();
                RequestId request = new RequestId(other + ".said." + session);
                current = alone
                        ? OwnershipRecord.alone(session.next().next(), other, request)
                        : OwnershipRecord.activating(session.next(), other, self, request);
            }
        } else if (alone && record.phase() != Phase.ALONE) {
            HostId other = record.owner();
            current =
                    OwnershipRecord.alone(record.term().next(), other, new RequestId(other + ".said." + record.term()));
        }
    }

    private void resolve(Pending asked, Word word) {
        boolean grants = switch (word) {
            case UNREACHABLE, KNOWS_NOTHING, HAS_OWNED -> true;
            case AS_RECORDED, TAKES_OVER, OWNS -> false;
        };
        if (grants) {
            grant(asked.next(), asked.answer());
        } else {
            asked.answer().accept(new Refused(current));
        }
    }

    @Override
    public void read(String vm, Consumer<? super ReadOutcome> answer) {
        OwnershipRecord record = current;
        if (doubtful && isContested(record)) {
            surroundings.askPeer();
            answer.accept(new Unavailable("the other host was not heard since this one slept"));
        } else {
            answer.accept(record == null ? new Absent() : new Found(record));
        }
    }

    @Override
    public void set(
            String vm, @Nullable OwnershipRecord expected, OwnershipRecord next, Consumer<? super SetOutcome> answer) {
        OwnershipRecord record = current;
        if (record != null && !record.equals(expected)) {
            answer.accept(new Refused(record));
        } else if (record == null || next.phase() != Phase.ALONE || isFree(record)) {
            grant(next, answer);
        } else if (backupGone) {
            grant(next, answer);
        } else if (isContested(record) && isPatienceOver()) {
            pending = new Pending(next, answer);
            surroundings.askPeer();
        } else {
            answer.accept(new Refused(record));
        }
    }

    /** Whether this host may be alone without further evidence. */
    private boolean isFree(OwnershipRecord record) {
        return switch (record.phase()) {
            // An owner that is not this host is overruled by an operator's force only.
            case ALONE -> !isContested(record);
            case PROTECTED -> false;
            case ACTIVATING -> record.isOwnedBy(self);
        };
    }

    /** Whether this host owns a VM that its backup may take over at any time. */
    private boolean isContested(@Nullable OwnershipRecord record) {
        return record != null && record.isOwnedBy(self) && (record.phase() == Phase.PROTECTED || imageAt != null);
    }

    private boolean isPatienceOver() {
        long now = time.nanos();
        if (!waits || now - lastAskedNanos > detectNanos) {
            waits = true;
            waitingSinceNanos = now;
        }
        lastAskedNanos = now;
        return whenAlone == WhenAlone.CONTINUE && now - waitingSinceNanos >= ALONE_AFTER_DETECTION_TIMES * detectNanos;
    }

    private void grant(OwnershipRecord next, Consumer<? super SetOutcome> answer) {
        current = next;
        imageAt = null;
        backupGone = false;
        waits = false;
        if (next.phase() == Phase.ACTIVATING) {
            // Loading need not wait for the disk: nothing leaves before {alone} is there.
            surroundings.note(next, () -> {});
            answer.accept(new Done());
        } else {
            surroundings.note(next, () -> answer.accept(new Done()));
        }
    }

    @Override
    public void close() {
        Pending asked = pending;
        pending = null;
        if (asked != null) {
            asked.answer().accept(new Refused(current));
        }
    }
}
