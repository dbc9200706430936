package remus.host;

import java.util.Set;
import remus.base.EpochId;
import remus.checkpoint.BackupChannel;
import remus.checkpoint.StagedPages;

/**
 * Brings what the channel's threads say of the backup to the agent's thread: to the session's engine, its
 * disks, its owner. Nothing is brought after the session's end.
 */
final class SessionContact implements BackupChannel.Listener {
    private final ProtectionSession session;

    SessionContact(ProtectionSession session) {
        this.session = session;
    }

    @Override
    public void welcomed() {
        session.post(session::welcomed);
    }

    @Override
    public void backupReady(Set<String> disksWithContent) {
        session.post(() -> session.backupReady(disksWithContent));
    }

    @Override
    public void diskDigests(int disk, long firstBlock, byte[] digests) {
        session.post(() -> session.synchronization().digests(disk, firstBlock, digests));
    }

    @Override
    public void writesAreFilling() {
        session.post(() -> session.engine().endEpochEarly());
    }

    @Override
    public void chunkSent(StagedPages chunk) {
        session.post(() -> session.engine().chunkSent(chunk));
    }

    @Override
    public void acknowledged(EpochId epoch) {
        session.post(() -> session.acknowledged(epoch));
    }

    @Override
    public void disconnected(String cause) {
        session.post(() -> session.disconnected(cause));
    }

    @Override
    public void reconnected(EpochId lastWhole) {
        session.post(() -> session.reconnected(lastWhole));
    }

    @Override
    public void refused(String reason) {
        session.postEnd(end -> end.backupGone(reason));
    }

    @Override
    public void signedOff(String reason) {
        session.postEnd(end -> end.backupGone(reason));
    }

    @Override
    public void signOffUnanswered(String reason) {
        session.postEnd(end -> end.signOffUnanswered(reason));
    }

    @Override
    public void backupLost(String reason) {
        session.postEnd(end -> end.backupGone(reason));
    }

    @Override
    public void reliefWanted(String reason) {
        session.post(() -> session.owner().reliefWanted(reason));
    }

    @Override
    public void backupActivated(String reason) {
        session.postEnd(end -> end.backupActivated(reason));
    }

    @Override
    public void channelFailed(Throwable cause) {
        session.postEnd(end -> {
            if (cause instanceof Error error) {
                throw error;
            }
            throw new AssertionError("the channel failed", cause);
        });
    }

    @Override
    public void verified(EpochId epoch, boolean equal) {
        session.post(() -> session.owner().verified(epoch, equal));
    }
}
