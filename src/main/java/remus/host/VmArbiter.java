package remus.host;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.availability.Arbiter;
import remus.availability.HostId;
import remus.availability.LocalArbiter;
import remus.availability.LocalArbiter.Word;
import remus.availability.OwnershipRecord;
import remus.availability.OwnershipRecord.Phase;
import remus.availability.RequestId;
import remus.availability.WhenAlone;
import remus.base.HostAddress;
import remus.base.Term;
import remus.replication.PeerAnswer;
import remus.replication.SessionFarewell;
import remus.wire.OwnerAnswer;
import remus.wire.OwnerState;

/**
 * One VM's way to whoever decides which host owns it: the arbiter that all hosts share or, where there is none, a
 * {@link LocalArbiter} that rests on what the other host says. What that needs to know is told here in either case; with a
 * shared arbiter it is not needed. What was granted is also written down on this host, for a daemon started anew.
 *
 * <p>Confined to the VM's agent thread, to which {@link #answerOn} says how to hand over.
 */
final class VmArbiter implements Arbiter {
    private static final Logger LOG = LoggerFactory.getLogger(VmArbiter.class);
    private static final Duration PEER_LIMIT = Duration.ofSeconds(1);
    private static final Duration PEER_PAUSE = Duration.ofMillis(200);
    private static final Duration NOTE_RETRY = Duration.ofSeconds(1);

    private final HostServices services;
    private final String vm;
    private final HostId self;
    private final @Nullable Arbiter shared;
    private volatile Executor agent;
    private LocalArbiter local;
    private @Nullable HostAddress peer;
    private boolean peerIsPrimary;
    private volatile Term session = Term.NONE;
    private WhenAlone whenAlone = WhenAlone.HOLD;
    private boolean imageIsThere;
    private boolean backupGone;
    private boolean fenced;
    private boolean vouched;
    private boolean signedOff;
    private boolean asking;
    private @Nullable SessionFarewell farewell;
    private volatile boolean aloneGranted;
    private long lastAskedNanos = Long.MIN_VALUE / 2;
    private volatile boolean closed;

    /**
     * @param agent runs what is answered on the VM's agent thread
     * @param known the highest term of this VM that this host knows of
     */
    VmArbiter(HostServices services, String vm, Executor agent, Term known) {
        this.services = services;
        this.vm = vm;
        this.agent = agent;
        self = new HostId(services.hostName());
        shared = services.arbiter();
        local = newLocal(
                Duration.ofSeconds(1),
                known.equals(Term.NONE)
                        ? null
                        : OwnershipRecord.alone(known, self, new RequestId(self + ".noted." + known)));
    }

    private static WhenAlone choice(remus.api.WhenAlone wanted) {
        return wanted == remus.api.WhenAlone.CONTINUE ? WhenAlone.CONTINUE : WhenAlone.HOLD;
    }

    private LocalArbiter newLocal(Duration detect, @Nullable OwnershipRecord noted) {
        return new LocalArbiter(self, detect.toNanos(), whenAlone, services.time(), new Surroundings(), noted);
    }

    /** From now on answers are handed over by {@code next}. */
    void answerOn(Executor next) {
        agent = next;
    }

    // ---- what happens to the VM

    /** This host's VM is to be protected; {@link #begins} follows when it is known under which term. */
    void protecting(OwnershipRecord alone, HostAddress backup, ProtectionSettings settings) {
        peer = backup;
        farewell = null;
        signedOff = false;
        peerIsPrimary = false;
        whenAlone = choice(settings.whenAlone());
        imageIsThere = false;
        backupGone = false;
        fenced = false;
        vouched = false;
        local = newLocal(settings.detect(), alone);
    }

    /**
     * This daemon was started anew and found the VM running: what its predecessor had agreed with the backup still holds,
     * and the backup is asked for its word, again and again, before each look at the record.
     *
     * @param farewell said to a backup that stands by, for this daemon can't go on with the session
     */
    void inherits(RunningVm.Session left, SessionFarewell farewell) {
        peer = left.address();
        peerIsPrimary = false;
        session = left.sessionTerm();
        whenAlone = choice(left.whenAlone());
        imageIsThere = true;
        this.farewell = farewell;
        local = newLocal(
                left.detect(),
                OwnershipRecord.protectedBy(
                        left.sessionTerm(), self, left.backupId(), new RequestId(self + ".left." + left.term())));
        local.imageMayBeAt(left.backupId());
    }

    /** As {@link #inherits}, where the predecessor had no session: this record says that this host is alone. */
    void inheritsAlone(OwnershipRecord record) {
        local = newLocal(Duration.ofSeconds(1), record);
    }

    /** It is clear that this host owns the VM alone: no backup of a predecessor's is left to be asked. */
    void isAlone() {
        farewell = null;
    }

    /** The session that was wanted begins. */
    void begins(Term term) {
        session = term;
    }

    /** This host is to be the backup of {@code primary}. */
    void joined(Term term, HostId primary, HostAddress address, Duration detect) {
        peer = address;
        peerIsPrimary = true;
        session = term;
        local = newLocal(detect, null);
        local.joined(term, primary);
    }

    /** The first full checkpoint is about to be sent to {@code backup}. */
    void imageMayBeAt(HostId backup) {
        imageIsThere = true;
        aloneGranted = false;
        backupGone = false;
        local.imageMayBeAt(backup);
    }

    /** The backup never will activate: by its own word, an operator's, or for it was not handed a VM that moves. */
    void backupGone() {
        backupGone = true;
        local.backupGone();
    }

    boolean isBackupGone() {
        return backupGone;
    }

    /** An operator says that the backup never will activate, which no word of its own undoes. */
    void vouched() {
        vouched = true;
        backupGone();
    }

    /** The backup's hello on a new connection: it stands by. */
    void backupReturned() {
        backupGone = false;
        local.peerSaid(Word.AS_RECORDED);
    }

    /** The other host says that it takes over: it is asked how that goes before each look at the record. */
    void fenced() {
        fenced = true;
        local.peerSaid(Word.TAKES_OVER);
    }

    /** The other host offers a session of its own, which proves that the VM runs there. */
    void peerOwns() {
        local.peerSaid(Word.OWNS);
    }

    /** Whether an {@code alone} that was granted proves that no other host will run the VM. */
    boolean isAloneForCertain() {
        return !imageIsThere || backupGone || (shared != null && aloneGranted);
    }

    boolean isShared() {
        return shared != null;
    }

    /** Whether the backup may have a whole checkpoint, as far as is known here. */
    boolean mayBackupHaveImage() {
        return imageIsThere && !backupGone;
    }

    void wokeLate() {
        local.wokeLate();
    }

    /** What the other host has answered. */
    void peerAnswered(PeerAnswer answer) {
        local.peerSaid(word(answer));
    }

    private Word word(PeerAnswer answer) {
        return answer instanceof PeerAnswer.Answered(OwnerAnswer says)
                ? peerIsPrimary ? wordOfPrimary(says.state()) : wordOfBackup(says)
                : Word.UNREACHABLE;
    }

    private static Word wordOfPrimary(OwnerState state) {
        return switch (state) {
            case RUNNING_ALONE -> Word.OWNS;
            case STOPPED -> Word.HAS_OWNED;
            case RUNNING_PROTECTED, RUNNING_UNCERTAIN, FENCED, STANDBY, ACTIVATING -> Word.AS_RECORDED;
            case UNKNOWN -> Word.KNOWS_NOTHING;
        };
    }

    private Word wordOfBackup(OwnerAnswer says) {
        return switch (says.state()) {
            case STANDBY -> Word.AS_RECORDED;
            case ACTIVATING -> Word.TAKES_OVER;
            case RUNNING_ALONE, RUNNING_PROTECTED, RUNNING_UNCERTAIN -> Word.OWNS;
            case FENCED, STOPPED -> Word.HAS_OWNED;
            case UNKNOWN -> says.term().isAfter(session) ? Word.HAS_OWNED : Word.KNOWS_NOTHING;
        };
    }

    // ---- questions

    @Override
    public void read(String name, Consumer<? super ReadOutcome> answer) {
        Arbiter asked = shared;
        HostAddress other = peer;
        if (asked != null) {
            asked.read(name, outcome -> {
                noteGrant(outcome instanceof ReadOutcome.Found(OwnershipRecord found) ? found : null);
                answer.accept(outcome);
            });
        } else if (fenced && other != null && mayAskPeer()) {
            askPeer(other, () -> local.read(name, answer));
        } else if (farewell != null && other != null && !asking && mayAskPeer()) {
            // Not waited for: whoever goes on alone where nobody answers has to keep asking for it.
            askPeer(other, () -> {});
            local.read(name, answer);
        } else {
            local.read(name, answer);
        }
    }

    @Override
    public void set(
            String name,
            @Nullable OwnershipRecord expected,
            OwnershipRecord next,
            Consumer<? super SetOutcome> answer) {
        Arbiter asked = shared;
        if (asked == null) {
            if (vouched || signedOff) {
                local.backupGone();
            }
            local.set(name, expected, next, answer);
        } else {
            asked.set(name, expected, next, outcome -> {
                if (outcome instanceof SetOutcome.Done) {
                    noteGrant(next);
                    agent.execute(() -> note(next, () -> answer.accept(outcome)));
                } else {
                    answer.accept(outcome);
                }
            });
        }
    }

    /** A record from before the session was so already when the backup got its image: it proves nothing. */
    private void noteGrant(@Nullable OwnershipRecord record) {
        if (record != null
                && record.isOwnedBy(self)
                && record.phase() == Phase.ALONE
                && !session.isAfter(record.term())) {
            aloneGranted = true;
        }
    }

    private boolean mayAskPeer() {
        long now = services.time().nanos();
        boolean due = now - lastAskedNanos >= PEER_PAUSE.toNanos();
        if (due) {
            lastAskedNanos = now;
        }
        return due;
    }

    @Override
    public void close() {
        closed = true;
        local.close();
    }

    private void askPeer(HostAddress other, Runnable then) {
        LocalArbiter asker = local;
        SessionFarewell last = farewell;
        asking = true;
        Thread.ofVirtual().name("ask-peer").start(() -> {
            PeerAnswer answer = services.peers().ask(other, vm, PEER_LIMIT);
            boolean parted = last != null
                    && answer instanceof PeerAnswer.Answered(OwnerAnswer says)
                    && says.state() == OwnerState.STANDBY
                    && last.say("the daemon of host " + self + " was started anew", PEER_LIMIT);
            agent.execute(() -> {
                asking = false;
                if (asker == local) { // else another session has been wanted since, maybe with another host
                    heard(answer, parted);
                }
                then.run();
            });
        });
    }

    private void heard(PeerAnswer answer, boolean parted) {
        signedOff |= parted;
        Word said = signedOff ? Word.KNOWS_NOTHING : word(answer);
        backupGone |= signedOff || (farewell != null && said == Word.KNOWS_NOTHING);
        local.peerSaid(said);
    }

    /**
     * Tries at once, for a VM that was taken over: its agent has nothing else to do, and another thread would begin some
     * milliseconds later, for which clients wait.
     */
    private boolean isNoted(OwnershipRecord record) {
        try {
            services.state().note(vm, record.term(), true);
            return true;
        } catch (IOException e) {
            LOG.error("VM {}: {} can't be written down, trying again", vm, record, e);
            return false;
        }
    }

    /** Writes down, again and again, for what is not on disk could be forgotten by a restart, and the VM run twice. */
    private void note(OwnershipRecord record, Runnable durable) {
        if (record.phase() == Phase.ACTIVATING) {
            // Nothing of the VM leaves yet; a daemon that dies now has never run it, and should not say that it has.
            durable.run();
            return;
        }
        boolean activated = record.isOwnedBy(self) && peerIsPrimary;
        if (activated && isNoted(record)) {
            durable.run();
            return;
        }
        Thread.ofVirtual().name("note-term").start(() -> {
            try {
                while (!closed) {
                    try {
                        services.state().note(vm, record.term(), activated);
                        agent.execute(durable);
                        return;
                    } catch (IOException e) {
                        LOG.error("VM {}: {} can't be written down, trying again", vm, record, e);
                    }
                    TimeUnit.NANOSECONDS.sleep(NOTE_RETRY.toNanos());
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
    }

    private final class Surroundings implements LocalArbiter.Surroundings {
        @Override
        public void askPeer() {
            HostAddress other = peer;
            if (other != null) {
                VmArbiter.this.askPeer(other, () -> {});
            }
        }

        @Override
        public void note(OwnershipRecord record, Runnable durable) {
            VmArbiter.this.note(record, durable);
        }
    }
}
