package remus.host;

import java.io.IOException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.CheckpointStatus;
import remus.base.EpochId;
import remus.base.Term;
import remus.network.GuestNetwork;

/**
 * The protection session of a VM that runs here, if it has one, and what is worth knowing of those before: the term, the
 * last epochs, the figures. Terms are written down before they are used. Confined to the VM's agent thread.
 */
final class VmProtection {
    private static final Logger LOG = LoggerFactory.getLogger(VmProtection.class);

    private final String vm;
    private final StateDirectory directory;
    private final GuestNetwork network;
    private Term term;
    private EpochId lastEpoch = EpochId.NONE;
    private EpochId lastCommitted = EpochId.NONE;
    private CheckpointStatus lastStatistics = CheckpointStatus.NONE;
    private long pausedNanos;
    private @Nullable ProtectionSession session;

    /** @param term of the VM's ownership on this host */
    VmProtection(String vm, StateDirectory directory, GuestNetwork network, Term term) {
        this.vm = vm;
        this.directory = directory;
        this.network = network;
        this.term = term;
    }

    /** The session of now. */
    @Nullable
    ProtectionSession session() {
        return session;
    }

    /**
     * Opens the term of another session, which is on disk when this returns.
     *
     * @throws IOException when it can't be written down; the term stays what it was
     */
    Term nextTerm() throws IOException {
        Term next = term.next();
        directory.note(vm, next, false);
        term = next;
        return next;
    }

    /** This is the session of now: the backup gets the guest's input, too. */
    void begin(ProtectionSession begun) {
        session = begun;
        network.mirrorTo(begun.channel());
    }

    /** Ends the session, if there is one, and keeps what is worth keeping of it. Idempotent. */
    void end() {
        ProtectionSession running = session;
        if (running != null) {
            running.end();
            lastEpoch = running.engine().epoch();
            lastCommitted = running.engine().committed();
            lastStatistics = running.statistics();
            pausedNanos += running.pausedNanos();
            noteTerm(running.term().next());
            session = null;
            network.mirrorTo(null);
        }
    }

    private void noteTerm(Term next) {
        term = next;
        try {
            directory.note(vm, next, false);
        } catch (IOException e) {
            // The next session refuses to begin under a term that can't be written down; see nextTerm().
            LOG.error("VM {}: term {} could not be written down", vm, next, e);
        }
    }

    /** Lets go of the session at the agent's end, however that came. */
    void abandon() {
        ProtectionSession running = session;
        if (running != null) {
            running.end();
            session = null;
        }
    }

    /** The session's term, or the one in which the VM is owned without any. */
    Term term() {
        ProtectionSession running = session;
        return running == null ? term : running.term();
    }

    /** The epoch that is open, or was last. */
    EpochId epoch() {
        ProtectionSession running = session;
        return running == null ? lastEpoch : running.engine().epoch();
    }

    EpochId committed() {
        ProtectionSession running = session;
        return running == null ? lastCommitted : running.engine().committed();
    }

    CheckpointStatus statistics() {
        ProtectionSession running = session;
        return running == null ? lastStatistics : running.statistics();
    }

    /** How long the guest stood still for checkpoints, in all sessions. */
    long pausedMillis() {
        ProtectionSession running = session;
        return (pausedNanos + (running == null ? 0 : running.pausedNanos())) / 1_000_000;
    }
}
