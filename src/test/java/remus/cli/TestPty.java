package remus.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.jline.utils.ScreenTerminal;

/**
 * A command line of {@code remus} on a terminal of its own, made by script(1), whose screen can be looked at. The shell on
 * that terminal notes its settings before and after, and the exit code. All of it is gone after {@link #close}.
 */
final class TestPty implements AutoCloseable {
    private static final long LIMIT_NANOS = TimeUnit.SECONDS.toNanos(60);
    private static final long POLL_MILLIS = 20;

    private final Process script;
    private final OutputStream keys;
    private final Thread reader;
    private final StringBuilder sent = new StringBuilder();
    private ScreenTerminal screen;

    /**
     * @param wrapper a command that becomes the one given to it as further arguments; may be empty
     * @param arguments of {@code remus}
     */
    TestPty(int columns, int rows, String type, List<String> wrapper, String... arguments) throws IOException {
        screen = new ScreenTerminal(columns, rows);
        String command = Installation.own(TwoHosts.COMMAND_OPTIONS).command(List.of(arguments)).stream()
                .map(word -> "'" + word + "'")
                .collect(Collectors.joining(" "));
        String shell =
                "stty rows %d cols %d; before=$(stty -g); %s; code=$?; echo; echo code=$code same=$([ $before = $(stty -g) ] && echo yes || echo no)"
                        .formatted(rows, columns, command);
        ProcessBuilder builder = new ProcessBuilder(java.util.stream.Stream.concat(
                        wrapper.stream(), List.of("script", "-qfec", shell, "/dev/null").stream())
                .toList());
        Map<String, String> environment = builder.environment();
        environment.put("TERM", type);
        environment.put("SHELL", "/bin/sh");
        environment.remove("NO_COLOR");
        script = builder.redirectErrorStream(true).start();
        keys = script.getOutputStream();
        reader = Thread.ofPlatform().daemon().start(this::read);
    }

    private void read() {
        try (Reader in = new InputStreamReader(script.getInputStream(), UTF_8)) {
            char[] chars = new char[4_096];
            for (int count = in.read(chars); count >= 0; count = in.read(chars)) {
                synchronized (this) {
                    String text = new String(chars, 0, count);
                    sent.append(text);
                    screen.write(text);
                }
            }
        } catch (IOException e) {
            // The terminal is gone with its process; what was sent until then is there.
        }
    }

    void type(String text) throws IOException {
        keys.write(text.getBytes(UTF_8));
        keys.flush();
    }

    /** What the screen shows. */
    synchronized String screen() {
        long[] cells = new long[screen.getColumns() * screen.getRows()];
        screen.dump(cells, 0, 0, screen.getRows(), screen.getColumns(), null);
        StringBuilder text = new StringBuilder();
        for (int cell = 0; cell < cells.length; cell++) {
            int point = ScreenTerminal.cellCodePoint(cells[cell]);
            text.appendCodePoint(point == 0 ? ' ' : point);
            if ((cell + 1) % screen.getColumns() == 0) {
                text.append('\n');
            }
        }
        return text.toString().replaceAll(" +\n", "\n");
    }

    /** Everything that was ever sent, control sequences and all. */
    synchronized String sent() {
        return sent.toString();
    }

    /** Waits until the screen is as wanted. */
    String await(Predicate<String> wanted, String what) throws InterruptedException {
        long deadline = System.nanoTime() + LIMIT_NANOS;
        while (true) {
            String now = screen();
            if (wanted.test(now)) {
                return now;
            }
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("the screen never shows " + what + ":\n" + now);
            }
            TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
        }
    }

    String await(String text) throws InterruptedException {
        return await(screen -> screen.contains(text), "'" + text + "'");
    }

    /** The JVM on the terminal. */
    ProcessHandle jvm() {
        return script.descendants()
                .filter(process -> process.info().command().orElse("").endsWith("/java"))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no JVM runs on the terminal: " + sent()));
    }

    void resize(int columns, int rows) throws IOException, InterruptedException {
        Path device = Files.readSymbolicLink(Path.of("/proc/" + jvm().pid() + "/fd/1"));
        synchronized (this) {
            screen = new ScreenTerminal(columns, rows);
        }
        Process stty = new ProcessBuilder("stty", "-F", device.toString(), "rows", "" + rows, "cols", "" + columns)
                .inheritIO()
                .start();
        if (stty.waitFor() != 0) {
            throw new IOException("stty can't resize " + device);
        }
    }

    /** Waits for the end of the command: its exit code, and whether the terminal is set as before. */
    String awaitEnd() throws InterruptedException {
        await(screen -> screen.contains("same="), "the end");
        if (!script.waitFor(LIMIT_NANOS, TimeUnit.NANOSECONDS)) {
            throw new AssertionError("script does not end");
        }
        reader.join();
        return sent().lines().filter(line -> line.contains("same=")).findFirst().orElseThrow();
    }

    @Override
    public void close() {
        script.descendants().forEach(ProcessHandle::destroyForcibly);
        script.destroyForcibly();
    }
}
