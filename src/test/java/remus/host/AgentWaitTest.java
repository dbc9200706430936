package remus.host;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import remus.base.EpochId;
import remus.checkpoint.GuestControl;
import remus.network.GuestNetwork;

/** What the agent of a running VM waits for is what it then takes: else a wait that ends at once would end for ever. */
class AgentWaitTest {
    private static final EpochId FIRST = new EpochId(1);

    /** @param staysStill by command */
    private record Guest(boolean staysStill) implements GuestControl {
        @Override
        public void suspendAndSave() {}

        @Override
        public void resume() {}
    }

    @Test
    void inputOfAGuestThatStandsStillByCommandIsNeitherTakenNorWaitedFor() {
        try (GuestNetwork network = new GuestNetwork(List.of())) {
            assertFalse(AgentWait.inputStays(new Guest(false), network));
            assertTrue(AgentWait.inputStays(new Guest(true), network));
            network.suspending(FIRST);
            assertTrue(AgentWait.inputStays(new Guest(false), network));
            network.resumed(FIRST);
            assertFalse(AgentWait.inputStays(new Guest(false), network));
            assertTrue(AgentWait.inputStays(new Guest(true), network), "checkpoints go on meanwhile");
        }
    }
}
