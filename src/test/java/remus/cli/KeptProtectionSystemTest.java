package remus.cli;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.Event;
import remus.api.EventType;
import remus.api.VmStatus;

/** Protection is kept up: by whichever host of the definition is there, and nobody types anything. */
@Tag("system")
@Timeout(420)
class KeptProtectionSystemTest {
    private static final String PROTECTION =
            "protection: {backups: [beta, gamma], interval: 50ms, detect: 2s, whenAlone: continue}\n";

    @TempDir
    private Path directory;

    @Test
    void aVmIsProtectedAgainAfterEachLossByWhoeverIsThere() throws Exception {
        try (ThreeHosts hosts = new ThreeHosts(directory)) {
            ThreeHosts.start(hosts.alpha, hosts.beta, hosts.gamma);
            hosts.boot(PROTECTION);
            ThreeHosts.awaitProtected(hosts.alpha, hosts.beta);
            try (RedisClientLoad load = hosts.load()) {
                ThreeHosts.awaitAnswers(load);

                ThreeHosts.kill(hosts.beta);
                ThreeHosts.awaitProtected(hosts.alpha, hosts.gamma);
                ThreeHosts.awaitAnswers(load);
                Event again = hosts.alpha.events().reversed().stream()
                        .filter(event -> event.event() == EventType.PROTECTING)
                        .findFirst()
                        .orElseThrow();
                assertTrue(
                        String.valueOf(again.reason()).startsWith("to 10.77.0.13:7420, every 50 ms: "), again.reason());

                ThreeHosts.kill(hosts.alpha);
                ThreeHosts.awaitEvent(hosts.gamma, EventType.ACTIVATED);
                ThreeHosts.awaitAnswers(load);
                VmStatus alone = ThreeHosts.awaitReason(hosts.gamma, "next try in");
                assertTrue(String.valueOf(alone.reason()).contains("10.77.0.12:7420"), alone.reason());
                assertTrue(String.valueOf(alone.reason()).contains("10.77.0.11:7420"), alone.reason());

                ThreeHosts.start(hosts.alpha, hosts.beta);
                ThreeHosts.awaitProtected(hosts.gamma, hosts.alpha, hosts.beta);
                ThreeHosts.awaitAnswers(load);
                ThreeHosts.expectNothingLost(load);
            }
        }
    }
}
