package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.EventType;
import remus.api.WhenAlone;

/** The systemd unit in packaging is one that systemd takes, and what it forbids the daemon is never missed. */
@Tag("system")
@Timeout(180)
class ServiceFileSystemTest {
    private static final Path UNIT = Path.of("packaging", "remus.service");

    @TempDir
    private Path directory;

    /** The value of a setting, which is there once. */
    private static String setting(String key) throws Exception {
        List<String> values = Files.readAllLines(UNIT).stream()
                .filter(line -> line.startsWith(key + "="))
                .map(line -> line.substring(key.length() + 1))
                .toList();
        assertEquals(1, values.size(), key);
        return values.getFirst();
    }

    private static boolean isInstalled(String program) {
        return Arrays.stream(System.getenv("PATH").split(File.pathSeparator, -1))
                .anyMatch(place -> Files.isExecutable(Path.of(place, program)));
    }

    /** Where it says nothing: what it does not know it only tells of. */
    @Test
    void systemdFindsNothingWrongWithTheUnit() throws Exception {
        assumeTrue(isInstalled("systemd-analyze"), "systemd-analyze is not installed here");
        String program = setting("ExecStart").split(" ", 2)[0];
        Path here = Path.of("remus").toAbsolutePath();
        Path unit = Files.writeString(
                directory.resolve("remus.service"), Files.readString(UNIT).replace(program, here.toString()));
        Process verify = new ProcessBuilder("systemd-analyze", "verify", "--man=no", unit.toString())
                .redirectErrorStream(true)
                .start();
        String said = new String(verify.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, verify.waitFor(), said);
        // Other units of this machine may have faults of their own.
        assertEquals("", said.lines().filter(line -> line.contains("remus")).collect(Collectors.joining("\n")));
    }

    @Test
    void theCapabilitiesOfTheUnitAreEnoughForAFailover() throws Exception {
        assumeTrue(isInstalled("setpriv"), "setpriv is not installed here");
        String kept = Stream.of(setting("CapabilityBoundingSet").split(" ", -1))
                .map(capability -> capability.replace("CAP_", "+").toLowerCase(Locale.ROOT))
                .collect(Collectors.joining(","));
        assertEquals("yes", setting("NoNewPrivileges"));
        List<String> confined = List.of("setpriv", "--bounding-set=-all," + kept, "--inh-caps=-all", "--no-new-privs");
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.restartDaemon(hosts.alpha, confined);
            hosts.restartDaemon(hosts.beta, confined);
            String status = Files.readString(Path.of("/proc/" + hosts.alpha.pid() + "/status"));
            assertTrue(status.contains("NoNewPrivs:\t1"), status);
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, "2s", WhenAlone.HOLD);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                TwoHosts.signal("KILL", hosts.qemuPid(hosts.alpha));
                hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
                hosts.awaitAnswers(load, 50);
                ClientLoad.Figures figures = load.finish();
                assertNull(figures.problem());
                assertEquals(0, figures.lost() + figures.resets());
            }
        }
    }
}
