package remus.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ProcessIdentityTest {
    @Test
    void aProcessIsItselfUntilItEnds() throws Exception {
        Process sleeper = new ProcessBuilder("sleep", "60").start();
        try {
            ProcessIdentity identity = ProcessIdentity.of(sleeper.pid()).orElseThrow();
            assertTrue(identity.isAlive());
            assertEquals(identity, ProcessIdentity.parse(identity.toString()));
            assertTrue(identity.kill());
            assertTrue(sleeper.waitFor(10, TimeUnit.SECONDS));
            assertFalse(identity.isAlive());
            assertFalse(identity.kill());
        } finally {
            sleeper.destroyForcibly();
        }
    }

    @Test
    void anotherProcessWithTheSameNumberIsLeftAlone() throws Exception {
        Process sleeper = new ProcessBuilder("sleep", "60").start();
        try {
            ProcessIdentity real = ProcessIdentity.of(sleeper.pid()).orElseThrow();
            ProcessIdentity earlier = new ProcessIdentity(real.pid(), real.startTicks() - 1, real.bootId());
            ProcessIdentity otherBoot =
                    new ProcessIdentity(real.pid(), real.startTicks(), "00000000-0000-0000-0000-000000000000");
            assertFalse(earlier.kill());
            assertFalse(otherBoot.kill());
            assertTrue(sleeper.isAlive());
        } finally {
            sleeper.destroyForcibly();
        }
    }

    @Test
    void namesWithSpacesAndParenthesesAreReadRight() {
        ProcessStat stat =
                ProcessStat.parse("42 (a) b (c)) S 1 2 3 4 5 16448 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21\n");
        assertEquals('S', stat.state());
        assertEquals(16448, stat.flags());
        assertEquals(4711, stat.startTicks());
        assertTrue(stat.isKernelMade());
    }

    @Test
    void garbageIsNoIdentity() {
        assertThrows(IllegalArgumentException.class, () -> ProcessIdentity.parse("1@2"));
    }
}
