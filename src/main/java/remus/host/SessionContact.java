package remus.host;

import java.util.Set;
import java.util.function.Consumer;
import remus.base.EpochId;
import remus.checkpoint.BackupChannel;
import remus.checkpoint.StagedPages;

/**
 * Brings what the channel's threads say of the backup to the agent's thread: to the session's engine, its
 * disks, its owner. Nothing is brought after the session's end.
 */
final class SessionContact implements BackupChannel.Listener {
    private final ProtectionSession session;
    private final Consumer<Runnable> agent;

    /** @param agent runs what it is given on the agent thread, unless the session has ended by then */
    SessionContact(ProtectionSession session, Consumer<Runnable> agent) {
        this.session = session;
        this.agent = agent;
    }

    @Override
    public void backupReady(Set<String> disksWithContent) {
        agent.accept(() -> session.backupReady(disksWithContent));
    }

    @Override
    public void diskDigests(int disk, long firstBlock, byte[] digests) {
        agent.accept(() -> session.synchronization().digests(disk, firstBlock, digests));
    }

    @Override
    public void writesAreFilling() {
        agent.accept(() -> session.engine().endEpochEarly());
    }

    @Override
    public void chunkSent(StagedPages chunk) {
        agent.accept(() -> session.engine().chunkSent(chunk));
    }

    @Override
    public void acknowledged(EpochId epoch) {
        agent.accept(() -> session.acknowledged(epoch));
    }

    @Override
    public void disconnected(String cause) {
        agent.accept(() -> session.disconnected(cause));
    }

    @Override
    public void reconnected(EpochId lastWhole) {
        agent.accept(() -> session.reconnected(lastWhole));
    }

    @Override
    public void refused(String reason) {
        agent.accept(() -> session.owner().backupGone(reason));
    }

    @Override
    public void signedOff(String reason) {
        agent.accept(() -> session.owner().backupGone(reason));
    }

    @Override
    public void signOffUnanswered(String reason) {
        agent.accept(() -> session.owner().signOffUnanswered(reason));
    }

    @Override
    public void backupLost(String reason) {
        agent.accept(() -> session.owner().backupGone(reason));
    }

    @Override
    public void backupActivated(String reason) {
        agent.accept(() -> session.owner().backupActivated(reason));
    }

    @Override
    public void channelFailed(Throwable cause) {
        agent.accept(() -> {
            if (cause instanceof Error error) {
                throw error;
            }
            throw new AssertionError("the channel failed", cause);
        });
    }

    @Override
    public void verified(EpochId epoch, boolean equal) {
        agent.accept(() -> session.owner().verified(epoch, equal));
    }
}
