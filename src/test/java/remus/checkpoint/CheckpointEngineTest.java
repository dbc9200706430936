package remus.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.base.Invariant.InvariantViolation;
import remus.checkpoint.CheckpointEngine.Phase;

/** The engine's phases with ports that write down what was asked of them. */
class CheckpointEngineTest {
    private static final long INTERVAL_NANOS = 1000;
    private static final int PAGE_BYTES = 64;

    private final List<String> log = new ArrayList<>();
    private final Deque<StagedPages> chunks = new ArrayDeque<>();
    private final Deque<Long> roundPages = new ArrayDeque<>();
    private final List<StagedCheckpoint> sent = new ArrayList<>();
    private @Nullable String failing;
    private boolean copiesAhead;
    private boolean awaitsCommit;
    private long durableThrough = Long.MAX_VALUE;

    private final CheckpointEngine engine = new CheckpointEngine(
            new CheckpointEngine.Settings(EpochLengths.fixed(INTERVAL_NANOS), 10_000, PAGE_BYTES, 4096L * PAGE_BYTES),
            new Guest(),
            new CheckpointEngine.Memory(new Memory(), new SmallRemainder()),
            List.of(new Device("memory"), new Device("net")),
            new Channel(),
            new Log());

    @AfterEach
    void close() {
        engine.close();
    }

    @Test
    void aSessionSynchronizesAndThenTakesCheckpointsAtItsInterval() {
        roundPages.addAll(List.of(3000L, 2100L, 100L));
        engine.begin();
        assertEquals(Long.MAX_VALUE, engine.tick(0));
        engine.backupReady();
        assertEquals(Phase.PRE_COPY, engine.phase());
        sendRound(0, 3);
        assertEquals(0, engine.tick(0), "the next round");
        sendRound(0, 3);
        expectLog(
                "open",
                "memory setup",
                "net setup",
                "round 1: 1024/3000",
                "round 1: 2048/3000",
                "round 1: 3000/3000",
                "round 2: 1024/2100",
                "round 2: 2048/2100",
                "round 2: 2100/2100");

        assertEquals(Long.MAX_VALUE, engine.tick(10));
        // A flush that is answered early in the first pause must not be learnt of outside: output is held before.
        expectLog("first checkpoint 1", "memory suspending 1", "net suspending 1", "stop and save");
        assertTrue(engine.isPausing());
        engine.guestSuspended();
        expectLog("memory suspended 1", "net suspended 1");
        engine.guestSaved(20);
        expectLog("memory saved 1", "net saved 1", "resume", "send 1 first=true");
        engine.guestResumed(30);
        expectLog("memory resumed 1", "net resumed 1", "taken 1 paused 20");
        assertEquals(Phase.RUNNING, engine.phase());
        assertEquals(epoch(2), engine.epoch());
        assertEquals(epoch(1), engine.sealed());

        assertEquals(INTERVAL_NANOS - 20, engine.tick(30), "the interval counts from pause to pause");
        engine.acknowledged(epoch(1), 100);
        expectLog("memory commit 1", "net commit 1", "released 1", "committed 1 after 80");
        assertEquals(1, engine.tick(INTERVAL_NANOS + 9));
        assertEquals(Long.MAX_VALUE, engine.tick(INTERVAL_NANOS + 10));
        expectLog("memory suspending 2", "net suspending 2", "stop and save");
        engine.guestSuspended();
        expectLog("memory suspended 2", "net suspended 2");
        engine.guestSaved(2000);
        expectLog("memory saved 2", "net saved 2", "resume", "send 2 first=false");
    }

    @Test
    void aGuestRunsForHalfOfEachIntervalHoweverLongItsPausesAre() {
        roundPages.add(0L);
        engine.begin();
        engine.backupReady();
        engine.tick(10);
        engine.guestSuspended();
        engine.guestSaved(5 * INTERVAL_NANOS);
        engine.guestResumed(6 * INTERVAL_NANOS);
        assertEquals(INTERVAL_NANOS / 2, engine.tick(6 * INTERVAL_NANOS));
        assertEquals(Long.MAX_VALUE, engine.tick(6 * INTERVAL_NANOS + INTERVAL_NANOS / 2));
        assertEquals(Phase.SUSPENDING, engine.phase());
    }

    @Test
    void aGuestThatDirtiesMemoryTooFastIsStoppedAfterTheLastRound() {
        for (int round = 0; round <= SmallRemainder.MAX_ROUNDS; round++) {
            roundPages.add(SmallRemainder.MAX_PAGES + 1L);
        }
        engine.begin();
        engine.backupReady();
        for (int round = 1; round <= SmallRemainder.MAX_ROUNDS; round++) {
            assertEquals(Phase.PRE_COPY, engine.phase());
            sendRound(0, 3);
            engine.tick(0);
        }
        assertEquals(Phase.SUSPENDING, engine.phase());
    }

    @Test
    void atMostSoManyChunksWaitForTheChannel() {
        roundPages.add(100_000L);
        engine.begin();
        engine.backupReady();
        for (int i = 0; i < PreCopy.MAX_CHUNKS; i++) {
            assertEquals(0, engine.tick(0));
        }
        assertEquals(Long.MAX_VALUE, engine.tick(0));
        assertEquals(PreCopy.MAX_CHUNKS, chunks.size());
        engine.chunkSent(chunks.remove());
        assertEquals(0, engine.tick(0));
        assertEquals(PreCopy.MAX_CHUNKS, chunks.size());
    }

    @Test
    void theFirstCheckpointWaitsUntilAllChunksHaveLeft() {
        roundPages.add(10L);
        engine.begin();
        engine.backupReady();
        assertEquals(0, engine.tick(0));
        assertEquals(Long.MAX_VALUE, engine.tick(0));
        assertEquals(Phase.PRE_COPY, engine.phase());
        engine.chunkSent(chunks.remove());
        engine.tick(0);
        assertEquals(Phase.SUSPENDING, engine.phase());
    }

    @Test
    void atMostTwoCheckpointsAreInFlightThenTheEpochIsStretched() {
        synchronize();
        checkpoint(1000);
        assertEquals(2, sent.size());
        assertEquals(Long.MAX_VALUE, engine.tick(100_000));
        engine.endEpochEarly();
        assertEquals(Long.MAX_VALUE, engine.tick(100_000));
        assertEquals(Phase.RUNNING, engine.phase());
        engine.acknowledged(epoch(1), 100_000);
        engine.tick(100_000);
        assertEquals(Phase.SUSPENDING, engine.phase());
        assertTrue(sent.get(1) != sent.get(0));
    }

    @Test
    void aStagingBufferIsUsedAgainOnlyWhenItsCheckpointIsAcknowledged() {
        synchronize();
        StagedCheckpoint first = sent.get(0);
        checkpoint(1000);
        StagedCheckpoint second = sent.get(1);
        assertTrue(first != second);
        assertEquals(epoch(1), first.epoch(), "it may have to be sent again");
        engine.acknowledged(epoch(2), 2000);
        checkpoint(3000);
        checkpoint(4000);
        assertEquals(
                List.of(3L, 4L),
                sent.subList(2, 4).stream().map(c -> c.epoch().value()).toList());
        assertTrue(sent.get(2) != sent.get(3));
    }

    @Test
    void anAcknowledgementMayOvertakeQemusAnswer() {
        synchronize();
        engine.acknowledged(epoch(1), 50);
        log.clear();
        for (int round = 0; round < 5; round++) {
            engine.tick(1000L * (round + 1));
            engine.guestSuspended();
            engine.guestSaved(1000L * (round + 1) + 10);
            engine.acknowledged(engine.sealed(), 1000L * (round + 1) + 15);
            assertEquals(engine.sealed(), engine.committed());
            assertEquals(Phase.RESUMING, engine.phase());
            engine.guestResumed(1000L * (round + 1) + 20);
            assertEquals(Phase.RUNNING, engine.phase());
        }
        assertTrue(log.contains("committed 6 after 5"), log.toString());
        checkpoint(10_000);
        checkpoint(20_000);
        assertEquals(2, sent.stream().skip(6).distinct().count(), "no buffer was lost, none is in the list twice");
        assertEquals(Long.MAX_VALUE, engine.tick(30_000));
    }

    @Test
    void eachEpochIsCommittedOnceAndNoneThatWasNotTaken() {
        synchronize();
        log.clear();
        engine.acknowledged(epoch(1), 100);
        engine.acknowledged(epoch(1), 200);
        engine.acknowledged(EpochId.NONE, 300);
        expectLog("memory commit 1", "net commit 1", "released 1", "committed 1 after 90");
        assertThrows(InvariantViolation.class, () -> engine.acknowledged(epoch(2), 400));
        expectLog();
    }

    @Test
    void anAcknowledgedEpochIsCommittedOnlyWhenAllDevicesAllowIt() {
        durableThrough = 0;
        synchronize();
        log.clear();
        engine.acknowledged(epoch(1), 100);
        engine.retryCommit(150);
        expectLog();
        assertEquals(EpochId.NONE, engine.committed());
        assertEquals(epoch(1), engine.lastAcknowledged());
        durableThrough = 1;
        engine.retryCommit(200);
        engine.retryCommit(300);
        expectLog("memory commit 1", "net commit 1", "released 1", "committed 1 after 190");
    }

    @Test
    void asMuchIsCommittedAsTheDevicesAllow() {
        durableThrough = 1;
        synchronize();
        checkpoint(1000);
        log.clear();
        engine.acknowledged(epoch(2), 2000);
        expectLog("memory commit 1", "net commit 1", "released 1", "committed 1 after 1990");
        durableThrough = 5;
        engine.retryCommit(3000);
        expectLog("memory commit 2", "net commit 2", "released 2", "committed 2 after 1990");
    }

    @Test
    void anEpochThatWaitsForADeviceKeepsItsPlaceButNotItsBuffer() {
        durableThrough = 0;
        synchronize();
        checkpoint(1000);
        engine.acknowledged(epoch(2), 2000);
        assertEquals(Long.MAX_VALUE, engine.tick(100_000), "two epochs are not committed");
        assertEquals(Long.MAX_VALUE, engine.oldestInFlightNanos(), "the backup owes nothing");
        durableThrough = 1;
        engine.retryCommit(100_000);
        checkpoint(100_000);
        assertEquals(3, sent.size());
        assertEquals(100_010, engine.oldestInFlightNanos());
        assertTrue(sent.get(2) == sent.get(0) || sent.get(2) == sent.get(1), "a buffer is used again");
        assertEquals(Long.MAX_VALUE, engine.tick(200_000));
    }

    @Test
    void aBackupMustStillHoldWhatItAcknowledgedBeforeTheCommit() {
        durableThrough = 0;
        synchronize();
        checkpoint(1000);
        engine.acknowledged(epoch(2), 1100);
        log.clear();
        engine.disconnected();
        engine.reconnected(epoch(1), 1200);
        expectLog("failed: the backup came back with less than it had: last whole epoch=1, acknowledged=2");
        durableThrough = 2;
        engine.retryCommit(1300);
        expectLog();
    }

    @Test
    void nothingThatWaitedForADeviceIsCommittedAfterTheEnd() {
        durableThrough = 0;
        synchronize();
        engine.acknowledged(epoch(1), 1100);
        engine.end();
        log.clear();
        durableThrough = 1;
        engine.retryCommit(1300);
        expectLog();
    }

    @Test
    void theOldestUnacknowledgedCheckpointHasItsAge() {
        assertEquals(Long.MAX_VALUE, engine.oldestInFlightNanos());
        synchronize();
        assertEquals(10, engine.oldestInFlightNanos());
        checkpoint(1000);
        assertEquals(10, engine.oldestInFlightNanos());
        engine.acknowledged(epoch(1), 2000);
        assertEquals(1010, engine.oldestInFlightNanos());
        engine.acknowledged(epoch(2), 2000);
        assertEquals(Long.MAX_VALUE, engine.oldestInFlightNanos());
    }

    @Test
    void withoutAConnectionTheEpochGoesOnUntilItIsBack() {
        synchronize();
        engine.disconnected();
        assertEquals(Long.MAX_VALUE, engine.tick(50_000));
        engine.reconnected(epoch(1), 60_000);
        assertEquals(epoch(1), engine.committed(), "the hello counts as an acknowledgement");
        engine.tick(60_000);
        assertEquals(Phase.SUSPENDING, engine.phase());
    }

    @Test
    void attemptsThatFailBeforeTheBackupIsReadyDoNotStopTheSession() {
        roundPages.add(0L);
        engine.begin();
        engine.disconnected();
        engine.backupReady();
        engine.tick(0);
        assertEquals(Phase.SUSPENDING, engine.phase());
        engine.guestSuspended();
        engine.guestSaved(10);
        engine.guestResumed(20);
        engine.tick(2000);
        assertEquals(Phase.SUSPENDING, engine.phase());
    }

    @Test
    void aBackupThatComesBackWithNothingWholeMayLackPreCopiedPages() {
        synchronize();
        engine.disconnected();
        log.clear();
        engine.reconnected(EpochId.NONE, 1000);
        expectLog("failed: the backup came back with less than it had: last whole epoch=0, acknowledged=0");
        engine.acknowledged(epoch(1), 2000);
        expectLog();
        assertEquals(EpochId.NONE, engine.committed());
    }

    @Test
    void aBackupThatComesBackWithLessThanItAcknowledgedIsNoBackup() {
        synchronize();
        engine.acknowledged(epoch(1), 100);
        checkpoint(1000);
        engine.acknowledged(epoch(2), 1100);
        log.clear();
        engine.disconnected();
        engine.reconnected(epoch(1), 1200);
        expectLog("failed: the backup came back with less than it had: last whole epoch=1, acknowledged=2");
        assertEquals(Long.MAX_VALUE, engine.tick(100_000));
    }

    @Test
    void aFullOutputBufferEndsTheEpochEarlyOnce() {
        synchronize();
        engine.acknowledged(epoch(1), 20);
        engine.endEpochEarly();
        checkpoint(30);
        assertEquals(epoch(2), engine.sealed());
        assertEquals(INTERVAL_NANOS - 10, engine.tick(40));
        assertEquals(Phase.RUNNING, engine.phase());
    }

    @Test
    void outputThatWaitsEndsItsEpochWhenThePauseHasHadItsShare() {
        try (CheckpointEngine hasty = new CheckpointEngine(
                new CheckpointEngine.Settings(
                        new EpochLengths(50_000_000, 200_000_000, 20), 10_000, PAGE_BYTES, 4096L * PAGE_BYTES),
                new Guest(),
                new CheckpointEngine.Memory(new Memory(), new SmallRemainder()),
                List.of(new Device("net")),
                new Channel(),
                new Log())) {
            roundPages.add(0L);
            hasty.begin();
            hasty.backupReady();
            hasty.tick(0);
            hasty.guestSuspended();
            hasty.guestSaved(2_000_000);
            hasty.guestResumed(2_000_000);
            hasty.acknowledged(epoch(1), 3_000_000);
            assertEquals(197_000_000, hasty.tick(3_000_000), "a quiet guest");
            awaitsCommit = true;
            assertEquals(7_000_000, hasty.tick(3_000_000));
            assertEquals(Long.MAX_VALUE, hasty.tick(10_000_000));
            assertEquals(Phase.SUSPENDING, hasty.phase());
        }
    }

    @Test
    void whatWasWrittenIsCopiedAheadOfThePauseWhichBeginsAfterIt() {
        synchronize();
        copiesAhead = true;
        log.clear();
        assertEquals(0, engine.tick(1000));
        expectLog("copy ahead");
        assertFalse(engine.isPausing());
        assertEquals(Long.MAX_VALUE, engine.tick(1100));
        expectLog("memory suspending 2", "net suspending 2", "stop and save");
        engine.guestSuspended();
        engine.guestSaved(1110);
        log.clear();
        engine.guestResumed(1120);
        expectLog("memory resumed 2", "net resumed 2", "taken 2 paused 20");
        assertEquals(1, sent.get(1).pages().pageCount());

        engine.acknowledged(epoch(2), 1200);
        assertEquals(1, engine.tick(1999), "begins earlier by what it took: the next pause is due at 2100");
        assertEquals(0, engine.tick(2000));
        engine.tick(2100);
        assertEquals(Phase.SUSPENDING, engine.phase());
    }

    @Test
    void whatWasCopiedAheadIsKeptWhileTheConnectionIsLost() {
        synchronize();
        copiesAhead = true;
        engine.tick(1000);
        engine.disconnected();
        assertEquals(Long.MAX_VALUE, engine.tick(1100));
        engine.reconnected(epoch(1), 5000);
        checkpoint(5000);
        assertEquals(1, sent.get(1).pages().pageCount(), "copied ahead once only");
        assertEquals(INTERVAL_NANOS / 2 - 20, engine.tick(5020), "the time without a connection is no measure");
    }

    @Test
    void aFailedCopyAheadIsReportedOnceAndTheGuestRunsOn() {
        synchronize();
        failing = "copy ahead";
        copiesAhead = true;
        log.clear();
        assertEquals(Long.MAX_VALUE, engine.tick(1000));
        assertEquals(Long.MAX_VALUE, engine.tick(2000));
        expectLog("failed: copy ahead");
        assertFalse(engine.isPausing());
    }

    @Test
    void aCheckpointThatLacksADevicesPartIsNeverSent() {
        synchronize();
        failing = "memory suspended 2";
        engine.tick(2000);
        engine.guestSuspended();
        log.clear();
        engine.guestSaved(2010);
        expectLog("resume");
        engine.guestResumed(2020);
        expectLog();
        assertEquals(1, sent.size());
        assertEquals(epoch(1), engine.sealed());
        assertEquals(Long.MAX_VALUE, engine.tick(100_000));
    }

    @Test
    void aGuestGoesOnWhenItsEpochCannotBeSealed() {
        synchronize();
        failing = "memory saved 2";
        engine.tick(2000);
        engine.guestSuspended();
        log.clear();
        engine.guestSaved(2010);
        expectLog("failed: memory saved 2", "resume");
        engine.guestResumed(2020);
        assertEquals(1, sent.size());
        assertFalse(engine.isPausing());
    }

    @Test
    void aFailureIsReportedOnce() {
        failing = "memory setup";
        engine.begin();
        engine.backupReady();
        expectLog("open", "failed: memory setup");
        engine.backupReady();
        engine.tick(0);
        expectLog();
    }

    @Test
    void aFailedPreCopyIsReportedOnce() {
        roundPages.add(10L);
        failing = "copy";
        engine.begin();
        engine.backupReady();
        log.clear();
        assertEquals(Long.MAX_VALUE, engine.tick(0));
        assertEquals(Long.MAX_VALUE, engine.tick(0));
        expectLog("failed: copy");
    }

    @Test
    void afterTheEndNothingIsTakenSentOrCommitted() {
        synchronize();
        checkpoint(1000);
        log.clear();
        engine.end();
        engine.end();
        expectLog("memory abort", "net abort");
        engine.acknowledged(epoch(1), 2000);
        engine.reconnected(epoch(2), 2000);
        engine.backupReady();
        assertEquals(Long.MAX_VALUE, engine.tick(100_000));
        expectLog();
        assertEquals(EpochId.NONE, engine.committed());
    }

    @Test
    void aGuestThatStandsStillWhenTheSessionEndsGoesOn() {
        synchronize();
        engine.tick(2000);
        engine.end();
        log.clear();
        engine.guestSuspended();
        expectLog();
        engine.guestSaved(2010);
        expectLog("resume");
        engine.guestResumed(2020);
        expectLog();
    }

    @Test
    void answersToAnEarlierSessionsPauseAreNotTakenForItsOwn() {
        engine.begin();
        log.clear();
        engine.guestSuspended();
        engine.guestSaved(10);
        engine.guestResumed(20);
        expectLog("resume");
        assertEquals(Phase.CONNECTING, engine.phase());
    }

    @Test
    void qemusAnswersOutOfTurnAreABrokenInvariant() {
        synchronize();
        assertThrows(InvariantViolation.class, engine::guestSuspended);
        engine.tick(2000);
        assertThrows(InvariantViolation.class, () -> engine.guestSaved(2000));
        engine.guestSuspended();
        assertThrows(InvariantViolation.class, () -> engine.guestResumed(2000));
    }

    @Test
    void aGuestThatIsSuspendedForGoodStandsStillAfterItsFirstCheckpoint() {
        PreCopyPolicy forGood = new PreCopyPolicy() {
            @Override
            public Decision decide(@Nullable PreCopyRound done, long pagesLeft) {
                return Decision.SUSPEND_FOR_GOOD;
            }

            @Override
            public long bytesPerSecond() {
                return 0;
            }

            @Override
            public int heldPercent() {
                return 0;
            }
        };
        try (CheckpointEngine moving = new CheckpointEngine(
                new CheckpointEngine.Settings(
                        EpochLengths.fixed(INTERVAL_NANOS), 10_000, PAGE_BYTES, 4096L * PAGE_BYTES),
                new Guest(),
                new CheckpointEngine.Memory(new Memory(), forGood),
                List.of(),
                new Channel(),
                new Log())) {
            roundPages.add(100L);
            moving.begin();
            moving.backupReady();
            moving.tick(0);
            moving.guestSuspended();
            moving.guestSaved(10);
            assertEquals(Phase.HALTED, moving.phase());
            moving.acknowledged(epoch(1), 20);
            assertTrue(moving.hasCommittedLast());
        }
    }

    /** Closing twice the same buffer, or none, would throw or leak: each phase in which a checkpoint is being taken. */
    @Test
    void itClosesInEachPhase() {
        for (Phase phase : List.of(Phase.SUSPENDING, Phase.SAVING, Phase.RESUMING, Phase.RUNNING)) {
            for (boolean acknowledgedBefore : new boolean[] {false, true}) {
                CheckpointEngine other = new CheckpointEngine(
                        new CheckpointEngine.Settings(
                                EpochLengths.fixed(INTERVAL_NANOS), 10_000, PAGE_BYTES, 4096L * PAGE_BYTES),
                        new Guest(),
                        new CheckpointEngine.Memory(new Memory(), new SmallRemainder()),
                        List.of(),
                        new Channel(),
                        new Log());
                roundPages.add(0L);
                other.begin();
                other.backupReady();
                other.tick(0);
                if (phase != Phase.SUSPENDING) {
                    other.guestSuspended();
                }
                if (phase == Phase.RESUMING || phase == Phase.RUNNING) {
                    other.guestSaved(10);
                    if (acknowledgedBefore) {
                        other.acknowledged(epoch(1), 15);
                    }
                }
                if (phase == Phase.RUNNING) {
                    other.guestResumed(20);
                }
                assertEquals(phase, other.phase());
                other.close();
            }
        }
    }

    @Test
    void theGuestDoesNotGoOnAfterItsLastCheckpoint() {
        synchronize();
        engine.acknowledged(epoch(1), 25);
        log.clear();
        engine.takeLast();
        assertEquals(Long.MAX_VALUE, engine.tick(30), "at once, not when the interval is over");
        engine.guestSuspended();
        engine.guestSaved(40);
        assertEquals(Phase.HALTED, engine.phase());
        expectLog(
                "memory suspending 2",
                "net suspending 2",
                "stop and save",
                "memory suspended 2",
                "net suspended 2",
                "memory saved 2",
                "net saved 2",
                "send 2 first=false",
                "memory resumed 2",
                "net resumed 2",
                "taken 2 paused 10");
        assertFalse(engine.hasCommittedLast(), "the backup does not hold it yet");
        assertFalse(engine.isPausing(), "it is no pause that ends: the backup is told of life meanwhile");
        assertEquals(Long.MAX_VALUE, engine.tick(100 * INTERVAL_NANOS));
        engine.acknowledged(epoch(2), 50);
        assertTrue(engine.hasCommittedLast());
        expectLog("memory commit 2", "net commit 2", "released 2", "committed 2 after 10");
        assertEquals(30, engine.suspendedAtNanos());
    }

    @Test
    void theLastCheckpointWaitsForRoomAndForADisk() {
        synchronize();
        checkpoint(INTERVAL_NANOS);
        durableThrough = 2;
        engine.takeLast();
        assertEquals(Long.MAX_VALUE, engine.tick(INTERVAL_NANOS + 30));
        assertEquals(Phase.RUNNING, engine.phase(), "two are in flight");
        engine.acknowledged(epoch(2), INTERVAL_NANOS + 40);
        engine.tick(INTERVAL_NANOS + 50);
        engine.guestSuspended();
        engine.guestSaved(INTERVAL_NANOS + 60);
        engine.acknowledged(epoch(3), INTERVAL_NANOS + 70);
        assertFalse(engine.hasCommittedLast(), "its output has not left");
        durableThrough = 3;
        engine.retryCommit(INTERVAL_NANOS + 80);
        assertTrue(engine.hasCommittedLast());
    }

    @Test
    void aCheckpointThatIsNotTheLastOneAfterAllLetsTheGuestGoOn() {
        synchronize();
        engine.acknowledged(epoch(1), 25);
        engine.takeLast();
        engine.tick(30);
        engine.guestSuspended();
        engine.guestSaved(40);
        log.clear();
        engine.goOn();
        expectLog("resume");
        engine.guestResumed(50);
        assertEquals(Phase.RUNNING, engine.phase());
        engine.acknowledged(epoch(2), 60);
        assertFalse(engine.hasCommittedLast());
        checkpoint(30 + INTERVAL_NANOS);
        assertEquals(epoch(3), engine.sealed());
    }

    private static EpochId epoch(long value) {
        return new EpochId(value);
    }

    private void expectLog(String... lines) {
        assertEquals(List.of(lines), log);
        log.clear();
    }

    private void sendRound(long now, int chunkCount) {
        for (int i = 0; i < chunkCount; i++) {
            assertEquals(0, engine.tick(now));
        }
        assertEquals(Long.MAX_VALUE, engine.tick(now), "waits for its chunks");
        while (!chunks.isEmpty()) {
            engine.chunkSent(chunks.remove());
        }
    }

    /** Brings the session to RUNNING in epoch 2, with checkpoint 1 in flight: paused at 0, sealed at 10. */
    private void synchronize() {
        roundPages.add(0L);
        engine.begin();
        engine.backupReady();
        engine.tick(0);
        engine.guestSuspended();
        engine.guestSaved(10);
        engine.guestResumed(20);
        assertEquals(Phase.RUNNING, engine.phase());
    }

    private void checkpoint(long now) {
        engine.tick(now);
        engine.guestSuspended();
        engine.guestSaved(now + 10);
        engine.guestResumed(now + 20);
    }

    private void maybeFail(String what) throws CheckpointException {
        if (what.equals(failing)) {
            throw new CheckpointException(ErrorCategory.DEGRADE, what, null);
        }
    }

    private final class Guest implements GuestControl {
        @Override
        public void suspendAndSave() {
            log.add("stop and save");
        }

        @Override
        public void resume() {
            log.add("resume");
        }
    }

    private final class Memory implements PreCopySource {
        private long left;

        @Override
        public long beginRound() {
            left = roundPages.isEmpty() ? 0 : roundPages.remove();
            return left;
        }

        @Override
        public boolean copyChunk(StagedPages chunk, int maxPages) throws CheckpointException {
            maybeFail("copy");
            int count = (int) Math.min(left, maxPages);
            chunk.appendZero(0, count);
            left -= count;
            return left > 0;
        }

        @Override
        public boolean copyAhead(StagedPages pages) throws CheckpointException {
            if (!copiesAhead) {
                return false;
            }
            maybeFail("copy ahead");
            log.add("copy ahead");
            pages.appendZero(7, 1);
            return true;
        }
    }

    private final class Device implements CheckpointDevice {
        private final String name;

        Device(String name) {
            this.name = name;
        }

        private void act(String what) throws CheckpointException {
            maybeFail(name + " " + what);
            log.add(name + " " + what);
        }

        @Override
        public void setup() throws CheckpointException {
            act("setup");
        }

        @Override
        public boolean awaitsCommit() {
            return awaitsCommit;
        }

        @Override
        public void suspending(EpochId epoch) {
            log.add(name + " suspending " + epoch);
        }

        @Override
        public void suspended(StagedCheckpoint checkpoint) throws CheckpointException {
            act("suspended " + checkpoint.epoch());
        }

        @Override
        public void saved(StagedCheckpoint checkpoint) throws CheckpointException {
            act("saved " + checkpoint.epoch());
        }

        @Override
        public void resumed(EpochId epoch) {
            log.add(name + " resumed " + epoch);
        }

        @Override
        public boolean mayCommit(EpochId epoch) {
            return name.equals("memory") || epoch.value() <= durableThrough;
        }

        @Override
        public void commit(EpochId epoch) {
            log.add(name + " commit " + epoch);
        }

        @Override
        public void abort() {
            log.add(name + " abort");
        }
    }

    private final class Channel implements BackupChannel {
        @Override
        public void open() {
            log.add("open");
        }

        @Override
        public void send(StagedCheckpoint checkpoint) {
            sent.add(checkpoint);
            log.add("send " + checkpoint.epoch() + " first=" + checkpoint.first());
        }

        @Override
        public void sendPages(StagedPages chunk) {
            chunks.add(chunk);
        }

        @Override
        public void mirrorInbound(long sequence, MemorySegment frames, long offset, int length) {}

        @Override
        public void reportReleased(EpochId epoch) {
            log.add("released " + epoch);
        }

        @Override
        public void heartbeat(EpochId sealed) {}

        @Override
        public void reportGuestDead(String reason) {}

        @Override
        public void handOver(long pausedNanos, String reason) {}

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
        public void reconnect(String reason) {}

        @Override
        public void signOff(String reason) {}

        @Override
        public void close() {}
    }

    private final class Log implements CheckpointEngine.Observer {
        @Override
        public void preCopyProgress(PreCopyRound soFar) {
            log.add("round " + soFar.round() + ": " + soFar.pagesCopied() + "/" + soFar.pages());
        }

        @Override
        public void firstCheckpointBegins(EpochId epoch) {
            log.add("first checkpoint " + epoch);
        }

        @Override
        public void checkpointTaken(StagedCheckpoint checkpoint, long pauseNanos) {
            log.add("taken " + checkpoint.epoch() + " paused " + pauseNanos);
        }

        @Override
        public void committed(EpochId epoch, long commitNanos) {
            log.add("committed " + epoch + " after " + commitNanos);
        }

        @Override
        public void deviceFailed(CheckpointException cause) {
            log.add("failed: " + cause.getMessage());
        }
    }
}
