package remus.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class AnswerTimesTest {
    private static final long MILLI = 1_000_000;

    private final AnswerTimes answers = new AnswerTimes();

    private void answer(long sentMillis, long answeredMillis) {
        answers.add(sentMillis * MILLI, new Moment(answeredMillis * MILLI, 1_000 + answeredMillis));
    }

    @Test
    void anAnswerThatWasOnItsWayDoesNotEndTheStall() {
        answer(70, 95);
        answer(96, 103);
        answer(104, 290);
        answer(291, 320);
        AnswerTimes.Stall stall = answers.longestStallAfter(100 * MILLI).orElseThrow();
        assertEquals(103 * MILLI, stall.sinceNanos());
        assertEquals(290 * MILLI, stall.answerNanos());
        assertEquals(187.0, stall.millis());
    }

    @Test
    void aStallBeginsAtTheFailureNotAtTheAnswerBeforeIt() {
        answer(0, 20);
        answer(30, 250);
        assertEquals(150.0, answers.longestStallAfter(100 * MILLI).orElseThrow().millis());
    }

    @Test
    void withoutAnAnswerSinceThereIsNoStallYet() {
        assertTrue(answers.longestStallAfter(0).isEmpty());
        answer(0, 20);
        assertTrue(answers.longestStallAfter(100 * MILLI).isEmpty());
        assertFalse(answers.isAnsweredSince(10 * MILLI));
        answer(30, 140);
        assertTrue(answers.isAnsweredSince(10 * MILLI));
        assertFalse(answers.isAnsweredSince(100 * MILLI), "that request was sent before");
    }

    @Test
    void onlyTheLastAnswersAreKept() {
        for (int index = 0; index < AnswerTimes.CAPACITY + 10; index++) {
            answer(index, index + 1);
        }
        assertEquals(AnswerTimes.CAPACITY + 10, answers.count());
        assertEquals(1.0, answers.longestStallAfter(0).orElseThrow().millis());
        assertArrayEquals(new long[] {1_000, 1_000}, answers.recentMicros(2));
        assertEquals(AnswerTimes.CAPACITY, answers.recentMicros(Integer.MAX_VALUE).length);
    }

    @Test
    void momentsTellTheWallTimeOfOthers() {
        assertEquals(5_250, new Moment(100 * MILLI, 5_000).wallMillisAt(350 * MILLI));
        assertEquals(4_898, new Moment(100 * MILLI, 5_000).wallMillisAt(-1 * MILLI - 1));
    }
}
