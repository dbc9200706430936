package remus.host;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;

import org.junit.jupiter.api.Test;

class TakeOverDrillTest {
    /** Where the protocol changes, the drill has to follow; it says itself when its VM is not taken over. */
    @Test
    void aVmThatThereIsNotIsTakenOver() {
        assertDoesNotThrow(() -> TakeOverDrill.run(new SettableTime()));
    }
}
