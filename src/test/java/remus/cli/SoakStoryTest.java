package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import remus.api.Event;
import remus.api.EventType;

class SoakStoryTest {
    private static final Event FIRST = event(1, "vm1", EventType.ACTIVATED);
    private static final Event SECOND = event(2, "vm1", EventType.ACTIVATED);
    private static final Event OTHER = event(3, "vm2", EventType.ACTIVATED);

    private final SoakStory story = new SoakStory();

    private static Event event(long second, String vm, EventType type) {
        return new Event(Instant.ofEpochSecond(second), vm, type, "why", 7, 9);
    }

    @Test
    void aTakeOverThatWasCalledForIsNotAFalseOne() {
        story.take(Map.of("beta", List.of(FIRST)), "host killed: alpha", Set.of("vm1", "vm2"));
        assertEquals(List.of(), story.falseTakeOvers());
    }

    @Test
    void anotherVmsTakeOverAndTheSecondOfTheSameAreFalseOnes() {
        story.take(
                Map.of("beta", List.of(FIRST, OTHER), "gamma", List.of(SECOND)), "host killed: alpha", Set.of("vm1"));
        assertEquals(
                List.of(
                        new SoakReport.FalseTakeOver(SECOND.time(), "vm1", "gamma", "host killed: alpha"),
                        new SoakReport.FalseTakeOver(OTHER.time(), "vm2", "beta", "host killed: alpha")),
                story.falseTakeOvers());
    }

    @Test
    void whatWasReadBeforeCountsOnceAlsoWhenTheHostHasForgottenIt() {
        story.take(Map.of("beta", List.of(FIRST)), "one", Set.of("vm1"));
        story.take(Map.of("beta", List.of(FIRST, SECOND)), "two", Set.of("vm1"));
        story.take(Map.of("beta", List.of(SECOND, OTHER)), "three", Set.of("vm2"));
        assertEquals(3, story.count(EventType.ACTIVATED));
        assertEquals(List.of(), story.falseTakeOvers());
    }

    @Test
    void theStoryIsInTheOrderOfTime() {
        story.take(Map.of("beta", List.of(OTHER), "gamma", List.of(FIRST)), "one", Set.of());
        List<String> lines = story.last().lines().toList();
        assertEquals(2, lines.size());
        assertTrue(lines.getFirst().startsWith("gamma") && lines.getLast().startsWith("beta"), story.last());
    }
}
