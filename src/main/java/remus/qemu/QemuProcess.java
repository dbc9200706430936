package remus.qemu;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import remus.base.ErrorCategory;
import remus.linux.Errno;
import remus.linux.LinuxException;
import remus.linux.ProcessIdentity;

/**
 * A running QEMU that answers on QMP. Owns the process: {@link #close} kills it.
 *
 * <p>QEMU gets a session of its own by setsid(1), which replaces itself by QEMU, so that the process id stays: a Ctrl-C
 * in the daemon's terminal must not reach it, the daemon ends it in order. Its standard output and error go to the log,
 * its input is empty. If the daemon is killed, QEMU goes on; {@link #identity} lets a later daemon find it, and adopt or
 * end it.
 *
 * <p>Thread-safe but for {@link #qmp}, {@link #saver} and {@link #quit}, which belong to one thread at a time.
 */
public final class QemuProcess implements AutoCloseable {
    /** How long {@link #close} waits for a killed QEMU to be gone. */
    public static final Duration KILL_LIMIT = Duration.ofSeconds(10);

    /** How often the start looks for QEMU's socket. */
    private static final Duration CONNECT_INTERVAL = Duration.ofMillis(2);

    /** How long a QEMU that has broken its connection gets to be gone: on a busy machine an exit takes its time. */
    private static final Duration ENDING_LIMIT = Duration.ofSeconds(2);

    private static final int TAIL_BYTES = 4096;
    private static final int TAIL_LINES = 8;
    /** What QEMU puts before its messages: the time, its name. */
    private static final Pattern LINE_PREFIX = Pattern.compile("^(\\S+Z )?(qemu-system-\\S+: )?");

    /** How QEMU names them (iothread.c: "IO" and the id). */
    private static final String IO_THREAD_NAME = "IO ";

    private static final Path NULL = Path.of("/dev/null");

    private final QemuLife life;
    private final ProcessIdentity identity;
    private final Path log;
    private final long logStart;
    private final QmpClient qmp;
    private final QmpClient saver;

    private QemuProcess(QemuLife life, ProcessIdentity identity, Path log, long logStart, Monitors monitors) {
        this.life = life;
        this.identity = identity;
        this.log = log;
        this.logStart = logStart;
        qmp = monitors.qmp();
        saver = monitors.saver();
    }

    /** The connections to both of QEMU's monitors. */
    private record Monitors(QmpClient qmp, QmpClient saver) implements AutoCloseable {
        @Override
        public void close() {
            saver.close();
            qmp.close();
        }
    }

    /**
     * Starts QEMU in its runtime directory and waits until it answers on QMP. The directories of {@code paths} exist.
     *
     * @throws QemuException when QEMU ends instead, with its exit code and last words, or does not answer within
     *     {@code limit}; it is gone then
     */
    public static QemuProcess start(
            QemuInstallation installation, MachineType machine, List<String> arguments, QemuPaths paths, Duration limit)
            throws QemuException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(installation.setsid().toString());
        command.add(installation.binary(machine.architecture()).toString());
        command.addAll(arguments);
        Path log = paths.logFile();
        try {
            Files.deleteIfExists(paths.qmpSocket());
            Files.deleteIfExists(paths.saverSocket());
            long logStart = Files.exists(log) ? Files.size(log) : 0;
            Process process = new ProcessBuilder(command)
                    .directory(paths.runtimeDirectory().toFile())
                    .redirectInput(NULL.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                    .start();
            boolean started = false;
            Monitors monitors = null;
            try {
                monitors = connect(new QemuLife.Child(process), paths, limit, log, logStart);
                ProcessIdentity identity = ProcessIdentity.of(process.pid())
                        .orElseThrow(() ->
                                new QemuException(ErrorCategory.RETRY, "QEMU ended as soon as it had started", null));
                started = true;
                return new QemuProcess(new QemuLife.Child(process), identity, log, logStart, monitors);
            } finally {
                if (!started) {
                    if (monitors != null) {
                        monitors.close();
                    }
                    process.destroyForcibly().waitFor(KILL_LIMIT.toNanos(), TimeUnit.NANOSECONDS);
                }
            }
        } catch (IOException e) {
            throw new QemuException(ErrorCategory.FATAL, "QEMU could not be started: " + e.getMessage(), e);
        }
    }

    /**
     * Takes over a QEMU that a former daemon has started and left: it is watched and ended as an own one.
     *
     * @param limit until it answers on QMP; while it waits for its disks to come back it answers nothing
     * @throws QemuException when it has ended or does not answer; it is left as it is
     * @throws IOException when this host can't reach it, or read its log, for a reason of its own
     */
    public static QemuProcess adopt(ProcessIdentity identity, QemuPaths paths, Duration limit)
            throws QemuException, IOException, InterruptedException {
        QemuLife life = new QemuLife.Found(identity);
        Path log = paths.logFile();
        try {
            long logStart = Files.exists(log) ? Files.size(log) : 0;
            return new QemuProcess(life, identity, log, logStart, connect(life, paths, limit, log, logStart));
        } catch (QemuException e) {
            if (e.getCause() instanceof LinuxException) {
                throw new IOException(e.getMessage(), e);
            }
            throw e;
        }
    }

    /** Closes the connection and lets QEMU run on, for another process to adopt. */
    public void leave() {
        saver.close();
        qmp.close();
    }

    private static Monitors connect(QemuLife life, QemuPaths paths, Duration limit, Path log, long logStart)
            throws QemuException, InterruptedException {
        QmpClient qmp = connect(life, paths.qmpSocket(), limit, log, logStart);
        boolean complete = false;
        try {
            Monitors monitors = new Monitors(qmp, connect(life, paths.saverSocket(), limit, log, logStart));
            complete = true;
            return monitors;
        } finally {
            if (!complete) {
                qmp.close();
            }
        }
    }

    private static QmpClient connect(QemuLife life, Path socket, Duration limit, Path log, long logStart)
            throws QemuException, InterruptedException {
        long deadline = System.nanoTime() + limit.toNanos();
        while (true) {
            try {
                return QmpClient.connect(socket, Duration.ofNanos(Math.max(1, deadline - System.nanoTime())));
            } catch (LinuxException e) {
                if (e.errno() != Errno.ENOENT && e.errno() != Errno.ECONNREFUSED) {
                    throw new QemuException(ErrorCategory.FATAL, "QEMU can't be reached: " + e.getMessage(), e);
                }
            } catch (QmpException e) {
                // Either QEMU is ending, which says more than its broken connection, or it hangs.
                if (!life.awaitEnd(ENDING_LIMIT)) {
                    throw new QemuException(ErrorCategory.RETRY, "QEMU does not come up: " + e.getMessage(), e);
                }
            }
            if (life.awaitEnd(CONNECT_INTERVAL)) {
                QemuExit exit = new QemuExit(life.exitCode(), tail(log, logStart));
                throw new QemuException(ErrorCategory.FATAL, "QEMU did not start: " + exit, null);
            }
            if (System.nanoTime() - deadline >= 0) {
                throw new QemuException(
                        ErrorCategory.RETRY,
                        "QEMU did not answer on QMP within " + limit.toMillis() + "ms" + lastWords(tail(log, logStart)),
                        null);
            }
        }
    }

    /** Process id and start time, to be recorded. */
    public ProcessIdentity identity() {
        return identity;
    }

    public QmpClient qmp() {
        return qmp;
    }

    /** The connection to the monitor that saves the device state, and nothing else. */
    QmpClient saver() {
        return saver;
    }

    public boolean isAlive() {
        return life.isAlive();
    }

    /**
     * The threads that have to run for a guest to be stopped, saved and continued, and for its devices: QEMU's main thread and
     * its I/O threads, by the names that it gives them. Not its vCPUs, nor the workers that come and go.
     *
     * @return their numbers; empty where QEMU has ended
     */
    public List<Long> emulatorThreads() {
        List<Long> threads = new ArrayList<>();
        Path tasks = Path.of("/proc", Long.toString(identity.pid()), "task");
        try (DirectoryStream<Path> all = Files.newDirectoryStream(tasks)) {
            for (Path task : all) {
                long thread = Long.parseLong(task.getFileName().toString());
                if (thread == identity.pid()
                        || Files.readString(task.resolve("comm")).startsWith(IO_THREAD_NAME)) {
                    threads.add(thread);
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            return List.of(); // it, or one of them, has just ended
        }
        return threads;
    }

    /** Calls {@code callback} once, as soon as QEMU has ended, on a thread of the JVM's: it must be brief. */
    public void onExit(Consumer<QemuExit> callback) {
        life.onEnd(() -> callback.accept(new QemuExit(life.exitCode(), errorTail())));
    }

    /** How QEMU ended, if it does so within {@code limit}. */
    public Optional<QemuExit> awaitExit(Duration limit) throws InterruptedException {
        return life.awaitEnd(limit) ? Optional.of(new QemuExit(life.exitCode(), errorTail())) : Optional.empty();
    }

    /** The end of what this QEMU wrote to standard error so far, oldest line first. */
    public List<String> errorTail() {
        return tail(log, logStart);
    }

    /**
     * Kills QEMU (SIGKILL) and waits until it is gone; does nothing when it is gone already.
     *
     * @throws QemuException when it is still there after {@code limit}
     */
    public void kill(Duration limit) throws QemuException, InterruptedException {
        life.kill();
        if (!life.awaitEnd(limit)) {
            throw new QemuException(
                    ErrorCategory.FATAL,
                    "QEMU (pid " + identity.pid() + ") did not end within " + limit.toMillis() + "ms of its SIGKILL",
                    null);
        }
    }

    /** Asks QEMU to end, and kills it when it has not done so within {@code limit}. */
    public void quit(Duration limit) throws QemuException, InterruptedException {
        long deadline = System.nanoTime() + limit.toNanos();
        try {
            qmp.execute("quit", Map.of(), limit);
        } catch (QmpException e) {
            // Gone or dumb: killing it is all that is left, and what was asked for.
        }
        if (awaitExit(Duration.ofNanos(Math.max(0, deadline - System.nanoTime())))
                .isEmpty()) {
            kill(KILL_LIMIT);
        }
    }

    private static String lastWords(List<String> lines) {
        return lines.isEmpty() ? "" : ": " + String.join(" | ", lines);
    }

    private static List<String> tail(Path log, long logStart) {
        try (RandomAccessFile file = new RandomAccessFile(log.toFile(), "r")) {
            long from = Math.max(logStart, file.length() - TAIL_BYTES);
            byte[] bytes = new byte[(int) Math.max(0, file.length() - from)];
            file.seek(from);
            file.readFully(bytes);
            List<String> lines = new String(bytes, StandardCharsets.UTF_8)
                    .lines()
                    .map(line -> LINE_PREFIX.matcher(line).replaceFirst(""))
                    .filter(line -> !line.isBlank())
                    .toList();
            return lines.subList(Math.max(0, lines.size() - TAIL_LINES), lines.size());
        } catch (IOException e) {
            return List.of("(its log can't be read: " + e.getMessage() + ")");
        }
    }

    /** Kills QEMU and closes the connection to it. */
    @Override
    public void close() {
        try {
            kill(KILL_LIMIT);
        } catch (QemuException e) {
            throw new IllegalStateException(e.getMessage(), e);
        } catch (InterruptedException e) {
            // The signal has been sent; only the wait was cut short.
            Thread.currentThread().interrupt();
        } finally {
            leave();
        }
    }
}
