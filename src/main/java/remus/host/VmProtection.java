package remus.host;

import org.jspecify.annotations.Nullable;
import remus.api.CheckpointStatus;
import remus.base.EpochId;
import remus.base.Term;
import remus.network.GuestNetwork;

/**
 * The protection session of a VM that runs here, if it has one, and what is worth knowing of those before: the term, the
 * last epochs, the figures. Confined to the VM's agent thread.
 */
final class VmProtection {
    private final GuestNetwork network;
    private Term term;
    private EpochId lastEpoch = EpochId.NONE;
    private EpochId lastCommitted = EpochId.NONE;
    private CheckpointStatus lastStatistics = CheckpointStatus.NONE;
    private @Nullable ProtectionSession session;

    /** @param term of the VM's ownership on this host */
    VmProtection(GuestNetwork network, Term term) {
        this.network = network;
        this.term = term;
    }

    /** The session of now. */
    @Nullable
    ProtectionSession session() {
        return session;
    }

    /** The term in which this host owns the VM, as it was granted. */
    void granted(Term next) {
        term = next;
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
            part();
        }
    }

    /** As {@link #part}, but the backup still gets the input that comes for the guest, until {@link #mirrorNoMore}. */
    void partMirroring() {
        ProtectionSession running = session;
        part();
        if (running != null) {
            network.mirrorTo(running.channel());
        }
    }

    void mirrorNoMore() {
        network.mirrorTo(null);
    }

    /** Lets go of the session without ending it; as {@link #end} otherwise. */
    void part() {
        ProtectionSession running = session;
        if (running != null) {
            lastEpoch = running.engine().epoch();
            lastCommitted = running.engine().committed();
            lastStatistics = running.statistics();
            session = null;
            network.mirrorTo(null);
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
}
