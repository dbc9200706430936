package remus.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * iproute2's {@code ip -batch}, in this process's network namespace or a named one, kept running so that a command
 * takes effect within a millisecond instead of after the start of a process. The first command that fails ends it;
 * {@link #finish} tells which. Confined to one thread.
 */
final class IpSession implements AutoCloseable {
    private static final Duration END_TIMEOUT = Duration.ofSeconds(10);
    private static final int MAX_ERROR_BYTES = 4_096;

    private final Process process;
    private final Writer commands;
    private final Path errors;

    private IpSession(Process process, Path errors) {
        this.process = process;
        this.errors = errors;
        this.commands = new BufferedWriter(new OutputStreamWriter(process.getOutputStream(), UTF_8));
    }

    /** @param namespace a name of {@code ip netns}, or null for this process's own */
    static IpSession open(@Nullable String namespace) throws CommandException {
        List<String> command = new ArrayList<>(List.of("ip"));
        if (namespace != null) {
            command.addAll(List.of("-netns", namespace));
        }
        command.addAll(List.of("-batch", "-"));
        try {
            Path errors = Files.createTempFile("remus-ip", ".err");
            try {
                Process process = new ProcessBuilder(command)
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .redirectError(errors.toFile())
                        .start();
                return new IpSession(process, errors);
            } catch (IOException e) {
                Files.delete(errors);
                throw e;
            }
        } catch (IOException e) {
            throw new CommandException("ip: can't be run: %s; install iproute2".formatted(e.getMessage()), e);
        }
    }

    /** Runs all commands, each as {@code ip} takes it, and waits for them. */
    static void run(@Nullable String namespace, List<String> batch) throws CommandException {
        try (IpSession session = open(namespace)) {
            for (String command : batch) {
                session.send(command);
            }
            session.finish();
        }
    }

    /** Has the command carried out at once, without waiting for it. */
    void send(String command) throws CommandException {
        try {
            commands.write(command);
            commands.write('\n');
            commands.flush();
        } catch (IOException e) {
            throw failure("it ended before '" + command + "'", e);
        }
    }

    /** Waits until all commands are carried out. */
    void finish() throws CommandException {
        try {
            commands.close();
            if (!process.waitFor(END_TIMEOUT.toNanos(), TimeUnit.NANOSECONDS)) {
                throw failure("no end within " + END_TIMEOUT.toSeconds() + " s", null);
            }
            if (process.exitValue() != 0) {
                throw failure("exit code " + process.exitValue(), null);
            }
        } catch (IOException e) {
            throw failure("it ended early", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw failure("interrupted", e);
        }
    }

    private CommandException failure(String what, @Nullable Exception cause) {
        return new CommandException("ip: %s: %s".formatted(what, errorText()), cause);
    }

    private String errorText() {
        try (var in = Files.newInputStream(errors)) {
            return new String(in.readNBytes(MAX_ERROR_BYTES), UTF_8).strip();
        } catch (IOException e) {
            return "its errors can't be read: " + e.getMessage();
        }
    }

    @Override
    public void close() {
        process.destroyForcibly();
        try {
            Files.deleteIfExists(errors);
        } catch (IOException e) {
            // A few bytes stay in the temporary directory; nothing depends on them.
            errors.toFile().deleteOnExit();
        }
    }
}
