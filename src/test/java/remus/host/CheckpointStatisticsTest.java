package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import remus.api.CheckpointStatus;

class CheckpointStatisticsTest {
    private static final long CHECKPOINT_NANOS = 25_000_000;
    private static final long STATE_BYTES = 50_000;

    @Test
    void trafficIsWhatWasSentAndBesideItWhatPagesAreAsTheyAre() {
        CheckpointStatistics statistics = new CheckpointStatistics();
        for (long taken = 1; taken <= 400; taken++) {
            statistics.taken(2_000_000, 100, STATE_BYTES, taken * 400_000, taken * 20_000, taken * CHECKPOINT_NANOS);
        }
        CheckpointStatus status = statistics.status();
        assertEquals((20_000 + STATE_BYTES) * 40, status.bytesPerSecond());
        assertEquals((400_000 + STATE_BYTES) * 40, status.rawBytesPerSecond());
        assertEquals(100, status.dirtyPages().p50());
    }
}
