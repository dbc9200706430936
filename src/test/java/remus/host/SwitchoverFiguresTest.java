package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import remus.base.Term;
import remus.replication.PeerAnswer;
import remus.wire.OwnerAnswer;
import remus.wire.OwnerState;

/** What a former primary learns of a switchover, on a clock that moves by a pause with each question. */
@Timeout(60)
class SwitchoverFiguresTest {
    private static final String FIGURES =
            new Switchover(2_000_000, 10_000_000, 11_000_000).figures("alpha", 11_500_000);

    private final SettableTime time = new SettableTime();
    private final Deque<String> answers = new ArrayDeque<>();

    private String figures() {
        return new SwitchoverFigures(
                        "alpha",
                        limit -> {
                            time.wallMillis.addAndGet(SwitchoverFigures.PAUSE.toMillis());
                            String text = answers.size() > 1 ? answers.remove() : answers.element();
                            return new PeerAnswer.Answered(
                                    new OwnerAnswer("shop", "beta", OwnerState.RUNNING_ALONE, new Term(4), text));
                        },
                        time)
                .await();
    }

    @Test
    void whoIsStillTheBackupOrHasNotCountedYetIsAskedAgain() {
        answers.addAll(List.of("standing by", "", "connecting to alpha", FIGURES));
        assertEquals(
                "switched over from alpha: stood still for 3.000 ms, 3.500 ms from the pause there to output here",
                figures());
    }

    @Test
    void figuresAreReadBackAsTheyWereSaid() {
        assertEquals(3_000L, Switchover.stillMicrosIn(FIGURES));
        assertEquals(3_500L, Switchover.outputMicrosIn(FIGURES));
        assertNull(Switchover.stillMicrosIn(SwitchoverFigures.UNKNOWN));
        assertNull(Switchover.outputMicrosIn(SwitchoverFigures.UNKNOWN));
    }

    @Test
    void figuresHideNoReasonAndNoReasonIsTakenForFigures() {
        answers.add(Switchover.answer(FIGURES, "connecting to alpha; a disk is slow"));
        assertEquals(FIGURES, figures());
        assertTrue(answers.element().endsWith("; connecting to alpha; a disk is slow"));
    }

    @Test
    void figuresOfAnEarlierSwitchoverFromAnotherHostDoNotCount() {
        answers.add(new Switchover(1, 2, 3).figures("gamma", 3));
        assertEquals(SwitchoverFigures.UNKNOWN, figures());
    }
}
