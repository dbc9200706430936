package remus.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Tag("system")
@Timeout(60)
class TraceeTest {
    private static final int GETPID = 39;
    private static final int ROUNDS = 5;

    private final Process process = start();
    private final BufferedWriter input = process.outputWriter();
    private final BufferedReader output = process.inputReader();

    private static Process start() {
        try {
            return new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-XX:+UseSerialGC",
                            "-cp",
                            System.getProperty("java.class.path"),
                            BusyProcess.class.getName())
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    @BeforeEach
    void awaitProcess() throws IOException {
        Assumptions.assumeTrue(System.getProperty("os.arch").equals("amd64"), "tracing is proven on x86-64 only");
        assertAnswers("started");
    }

    @AfterEach
    void endProcess() {
        process.destroyForcibly();
    }

    @Test
    void everyThreadMakesTheCallAndGoesOnWithWhatItDid() throws Exception {
        int calls = 0;
        for (int round = 0; round < ROUNDS; round++) {
            for (int thread : threads()) {
                try (Tracee tracee = Tracee.stop(process.pid(), thread)) {
                    assertEquals(process.pid(), tracee.call(GETPID));
                    assertEquals(-Errno.EBADF, tracee.call(SyscallNumbers.CLOSE, -1));
                    calls++;
                }
            }
            assertAnswers("round " + round);
        }
        assertTrue(calls >= 10 * ROUNDS, "the process must have had many threads, calls=" + calls);
    }

    @Test
    void aSignalThatComesWhileAThreadIsHeldIsNotLost() throws Exception {
        List<Integer> threads = threads();
        try (Tracee tracee = Tracee.stop(process.pid(), threads.getFirst())) {
            process.destroy();
            assertEquals(process.pid(), tracee.call(GETPID));
        }
        assertTrue(process.waitFor(20, TimeUnit.SECONDS), "SIGTERM must still end it");
    }

    @Test
    void aProcessThatDiesWhileItIsHeldIsReported() throws Exception {
        List<Integer> threads = threads();
        LinuxException failure = assertThrows(LinuxException.class, () -> {
            try (Tracee tracee = Tracee.stop(process.pid(), threads.getFirst())) {
                process.destroyForcibly();
                while (true) {
                    tracee.call(GETPID);
                }
            }
        });
        assertEquals(Errno.ESRCH, failure.errno(), failure.toString());
    }

    @Test
    void aProcessWithoutASecondThreadIsRefused() throws Exception {
        Process single = new ProcessBuilder("sleep", "60").start();
        try {
            LinuxException failure =
                    assertThrows(LinuxException.class, () -> RemoteDescriptors.userfaultfdIn(single.pid(), 0));
            assertTrue(failure.toString().contains("no thread besides its first one"), failure.toString());
        } finally {
            single.destroyForcibly();
        }
    }

    private List<Integer> threads() throws IOException {
        List<Integer> threads = new ArrayList<>();
        try (DirectoryStream<Path> tasks = Files.newDirectoryStream(Path.of("/proc/" + process.pid() + "/task"))) {
            for (Path task : tasks) {
                int thread = Integer.parseInt(String.valueOf(task.getFileName()));
                if (thread != process.pid()) {
                    threads.add(thread);
                }
            }
        }
        return threads;
    }

    private void assertAnswers(String line) throws IOException {
        input.write(line + "\n");
        input.flush();
        assertEquals(line, output.readLine());
    }
}
