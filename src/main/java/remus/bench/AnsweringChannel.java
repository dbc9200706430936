package remus.bench;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import remus.base.EpochId;
import remus.checkpoint.BackupChannel;
import remus.checkpoint.CheckpointEngine;
import remus.checkpoint.DiskOperation;
import remus.checkpoint.StagedCheckpoint;
import remus.checkpoint.StagedPages;

/**
 * A backup that has everything as soon as it is sent: so the pause is measured, and not the network. Its answers reach
 * the engine by {@link #deliver}, as a channel's come by the agent's mailbox. Confined to the agent's thread.
 */
final class AnsweringChannel implements BackupChannel {
    /** What is to be said to the engine. */
    @FunctionalInterface
    private interface Answer {
        void deliver(CheckpointEngine engine, long nowNanos);
    }

    private final Deque<Answer> answers = new ArrayDeque<>();

    /** Hands over what has been answered since the last call. */
    void deliver(CheckpointEngine engine, long nowNanos) {
        Answer answer;
        while ((answer = answers.poll()) != null) {
            answer.deliver(engine, nowNanos);
        }
    }

    /** Whether {@link #deliver} has something to do. */
    boolean hasAnswers() {
        return !answers.isEmpty();
    }

    @Override
    public void open() {
        answers.add((engine, nowNanos) -> engine.backupReady());
    }

    @Override
    public void send(StagedCheckpoint checkpoint) {
        EpochId epoch = checkpoint.epoch();
        answers.add((engine, nowNanos) -> engine.acknowledged(epoch, nowNanos));
    }

    @Override
    public void sendPages(StagedPages chunk) {
        answers.add((engine, nowNanos) -> engine.chunkSent(chunk));
    }

    @Override
    public void mirrorInbound(long sequence, MemorySegment frames, long offset, int length) {}

    @Override
    public void reportReleased(EpochId epoch) {}

    @Override
    public void heartbeat(EpochId sealed) {}

    @Override
    public void reportGuestDead(String reason) {}

    @Override
    public void handOver(long pausedNanos, String reason) {}

    @Override
    public void reconnect(String reason) {}

    @Override
    public void signOff(String reason) {}

    @Override
    public boolean forward(
            EpochId epoch,
            int disk,
            DiskOperation operation,
            long offset,
            long length,
            MemorySegment data,
            long dataOffset) {
        return true;
    }

    @Override
    public void letWritesThrough(boolean through) {}

    @Override
    public void compare(int disk, long firstBlock, int count) {}

    @Override
    public void close() {
        answers.clear();
    }
}
