package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What an agent is asked by others, it does in its own time. */
class AgentTest {
    private final Agent agent = new Agent(() -> {});
    private final List<String> done = new ArrayList<>();

    @Test
    void itSaysWhetherItDidAnythingThatCouldHaveMadeMoreDue() {
        assertFalse(agent.runPosted());
        agent.post(() -> done.add("first"));
        assertTrue(agent.runPosted());
        assertFalse(agent.runPosted());
        assertEquals(List.of("first"), done);
    }

    @Test
    void whatItDoesMayAskForMoreWhichIsDoneAtOnce() {
        agent.post(() -> {
            done.add("first");
            agent.post(() -> done.add("second"));
        });
        assertTrue(agent.runPosted());
        assertEquals(List.of("first", "second"), done);
    }
}
