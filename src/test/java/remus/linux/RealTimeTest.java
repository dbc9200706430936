package remus.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;

class RealTimeTest {
    private static boolean isSetInNewThread() throws Exception {
        FutureTask<Boolean> asked = new FutureTask<>(() -> RealTime.isSet(RealTime.SELF));
        Thread.ofPlatform().start(asked);
        return asked.get();
    }

    @Test
    void aThreadHasItUntilItIsTakenAwayAndItsChildrenDoNot() throws Exception {
        FutureTask<Void> life = new FutureTask<>(() -> {
            assertFalse(RealTime.isSet(RealTime.SELF));
            RealTime.set(RealTime.SELF, true);
            assertTrue(RealTime.isSet(RealTime.SELF));
            assertFalse(isSetInNewThread());
            RealTime.set(RealTime.SELF, false);
            assertFalse(RealTime.isSet(RealTime.SELF));
            return null;
        });
        Thread.ofPlatform().start(life);
        life.get();
    }

    @Test
    void aThreadThatHasEndedIsSaidToBeGone() {
        long none = (1L << 22) + 1; // PID_MAX_LIMIT, beyond which the kernel gives no number
        assertEquals(
                Errno.ESRCH,
                assertThrows(LinuxException.class, () -> RealTime.set(none, true))
                        .errno());
    }
}
