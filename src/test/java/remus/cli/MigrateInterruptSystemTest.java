package remus.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.MigrationStage;

@Tag("system")
@Timeout(120)
class MigrateInterruptSystemTest {
    private static final int KILLED_BY_SIGINT = 128 + 2;

    @Test
    void ctrlCEndsTheCommandAndNotTheMigrationAndSaysHowToLook(@TempDir Path directory) throws Exception {
        Path err = directory.resolve("err");
        try (FakeMigrations host = new FakeMigrations()
                .tells(FakeMigrations.status(MigrationStage.PUSHING, FakeMigrations.ROUNDS.subList(0, 2)))) {
            Process command = new ProcessBuilder(Installation.own(TwoHosts.COMMAND_OPTIONS)
                            .command(List.of("migrate", "shop", "--to", "beta", "--api", host.address())))
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .redirectError(err.toFile())
                    .start();
            try {
                awaitAsked(host, 3);
                assertEquals(
                        0,
                        new ProcessBuilder("kill", "-INT", Long.toString(command.pid()))
                                .inheritIO()
                                .start()
                                .waitFor());
                assertTrue(command.waitFor(60, TimeUnit.SECONDS), "the command does not end");
            } finally {
                command.destroyForcibly();
            }
            assertEquals(KILLED_BY_SIGINT, command.exitValue());
            assertEquals(
                    "remus: the migration of VM 'shop' goes on; 'remus migrate shop --watch --api %1$s' shows it, 'remus migrate shop --cancel --api %1$s' ends it"
                            .formatted(host.address()),
                    Files.readString(err, UTF_8).lines().toList().getLast());
            assertFalse(host.asked().stream().anyMatch(asked -> asked.startsWith("DELETE")));
        }
    }

    private static void awaitAsked(FakeMigrations host, int times) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (host.asked().size() < times) {
            assertTrue(System.nanoTime() < deadline, "the host was not asked: " + host.asked());
            TimeUnit.MILLISECONDS.sleep(10);
        }
    }
}
