package remus.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.reflect.Proxy;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import remus.checkpoint.PreCopyPolicy.Decision;

/** The rounds of a policy that limits the rate, holds the guest, or gives up. */
class PreCopyTest {
    private static final int PAGE_BYTES = 4096;
    private static final long MILLI = 1_000_000;

    private final Deque<Long> pages = new ArrayDeque<>();
    private final Deque<StagedPages> sent = new ArrayDeque<>();
    private final List<Boolean> holds = new ArrayList<>();
    private final List<PreCopyRound> rounds = new ArrayList<>();
    private final Policy policy = new Policy();
    private final PreCopy preCopy = new PreCopy(
            new Memory(),
            policy,
            PAGE_BYTES,
            silent(BackupChannel.class),
            guest(),
            silent(CheckpointEngine.Observer.class));

    @AfterEach
    void close() {
        preCopy.close();
    }

    @Test
    void aLimitedRoundSendsNoMoreThanItsRateAllows() throws Exception {
        pages.add(3L * PreCopy.CHUNK_PAGES);
        policy.bytesPerSecond = 4L << 20; // one chunk a second
        assertEquals(0, preCopy.tick(0, true));
        assertEquals(1, sent.size());
        assertEquals(1000 * MILLI, preCopy.tick(0, true));
        assertEquals(400 * MILLI, preCopy.tick(600 * MILLI, true));
        assertEquals(1, sent.size());
        assertEquals(0, preCopy.tick(1000 * MILLI, true));
        assertEquals(2, sent.size());
    }

    @Test
    void aSlowedGuestStandsStillForItsShareOfEachPeriodAndGoesOnAtTheEnd() throws Exception {
        pages.add(4L * PreCopy.CHUNK_PAGES);
        policy.heldPercent = 30;
        for (int i = 0; i < PreCopy.MAX_CHUNKS; i++) {
            preCopy.tick(0, true);
        }
        assertEquals(70 * MILLI, preCopy.tick(0, true), "all chunks are on their way");
        assertEquals(List.of(), holds);
        assertEquals(30 * MILLI, preCopy.tick(70 * MILLI, true));
        assertEquals(List.of(true), holds);
        assertEquals(10 * MILLI, preCopy.tick(90 * MILLI, true));
        assertEquals(70 * MILLI, preCopy.tick(100 * MILLI, true));
        assertEquals(List.of(true, false), holds);
        preCopy.tick(170 * MILLI, true);
        policy.next = Decision.SUSPEND;
        sent.forEach(preCopy::chunkSent);
        preCopy.tick(180 * MILLI, true);
        assertTrue(preCopy.isOver());
        assertEquals(40 * MILLI, rounds.getFirst().guestHeldNanos());
        assertEquals(170 * MILLI, preCopy.heldSinceNanos(180 * MILLI));
        preCopy.letGo();
        preCopy.letGo();
        assertEquals(List.of(true, false, true, false), holds);
    }

    @Test
    void aGuestThatIsToStandStillAllTheTimeDoesSoFromBeforeTheFirstRoundOn() throws Exception {
        pages.add(10L);
        policy.heldPercent = 100;
        preCopy.holdWhereAlways(5 * MILLI);
        assertEquals(List.of(true), holds);
        preCopy.tick(50 * MILLI, true);
        policy.next = Decision.SUSPEND;
        sent.forEach(preCopy::chunkSent);
        preCopy.tick(80 * MILLI, true);
        assertTrue(preCopy.isOver());
        assertFalse(preCopy.isForGood());
        assertEquals(List.of(true), holds);
        assertEquals(5 * MILLI, preCopy.heldSinceNanos(80 * MILLI));
        assertEquals(30 * MILLI, rounds.getFirst().guestHeldNanos());
    }

    @Test
    void aPolicyThatGivesUpEndsTheSessionWithTheReason() throws Exception {
        pages.addAll(List.of(10L, 7L));
        preCopy.tick(0, true);
        policy.next = Decision.ABORT;
        sent.forEach(preCopy::chunkSent);
        CheckpointException thrown = assertThrows(CheckpointException.class, () -> preCopy.tick(1, true));
        assertTrue(
                String.valueOf(thrown.getMessage()).contains("after round 1 there were 7 pages left"),
                thrown.toString());
        assertFalse(preCopy.isOver());
    }

    @Test
    void aRoundHasEndedOnlyWhenAllOfItHasLeftOverAConnection() throws Exception {
        pages.addAll(List.of(10L, 7L));
        preCopy.tick(0, true);
        preCopy.tick(1, true);
        assertEquals(List.of(), rounds);
        sent.forEach(preCopy::chunkSent);
        assertEquals(Long.MAX_VALUE, preCopy.tick(2, false));
        assertEquals(List.of(), rounds);
        preCopy.tick(3, true);
        assertEquals(List.of(new PreCopyRound(1, 10, 10, 0, 0, 10L * PAGE_BYTES, 3, 0)), rounds);
    }

    private final class Policy implements PreCopyPolicy {
        private Decision next = Decision.NEXT_ROUND;
        private long bytesPerSecond;
        private int heldPercent;

        @Override
        public Decision decide(@Nullable PreCopyRound done, long pagesLeft) {
            if (done != null) {
                rounds.add(done);
            }
            return done == null ? Decision.NEXT_ROUND : next;
        }

        @Override
        public long bytesPerSecond() {
            return bytesPerSecond;
        }

        @Override
        public int heldPercent() {
            return heldPercent;
        }
    }

    /** Has as many pages as the test says, none of them zero. */
    private final class Memory implements PreCopySource {
        private long left;

        @Override
        public long beginRound() {
            left = pages.isEmpty() ? 0 : pages.remove();
            return left;
        }

        @Override
        public boolean copyChunk(StagedPages chunk, int maxPages) throws CheckpointException {
            int count = (int) Math.min(left, maxPages);
            try (Arena arena = Arena.ofConfined()) {
                chunk.append(0, count, arena.allocate((long) count * PAGE_BYTES), 0);
            }
            left -= count;
            sent.add(chunk);
            return left > 0;
        }
    }

    private GuestControl guest() {
        return new GuestControl() {
            @Override
            public void suspendAndSave() {}

            @Override
            public void resume() {}

            @Override
            public void hold(boolean held) {
                holds.add(held);
            }
        };
    }

    /** Does nothing, and answers nothing. */
    private static <T> T silent(Class<T> type) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> null));
    }
}
