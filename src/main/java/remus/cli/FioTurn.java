package remus.cli;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import remus.base.RemusException;
import remus.bench.DiskWorkload;
import remus.bench.StopSignal;

/**
 * One run of fio in the disk guest, measured by the host's clock: while fio writes, the guest says every quarter of a
 * second how many sectors its disk has taken, and the host notes when it heard of it. The guest's clock only paces that;
 * it stops with each checkpoint. Confined to one thread.
 */
final class FioTurn {
    /** fio writes for so long before anything counts: caches, queues and, on our side, the JVM settle. */
    static final Duration LEAD_IN = Duration.ofSeconds(2);

    /** The disk that fio writes, as the guest knows it: the second one. */
    private static final String DISK = "vdb";

    private static final int SECTOR_BYTES = 512;

    /** Under software emulation on a busy machine fio takes seconds to begin. */
    static final Duration SILENCE_LIMIT = Duration.ofMinutes(1);

    /** How often a wait for the guest looks whether the bench is to end. */
    private static final int LOOK_MILLIS = 250;

    private static final int MAX_LINE_BYTES = 1 << 12;
    private static final Pattern SAMPLE = Pattern.compile("sectors (\\d+)");

    /** Opens a connection to the guest's control service. */
    @FunctionalInterface
    interface Control {
        Socket connect() throws RemusException;
    }

    private final Control control;
    private final StopSignal stop;
    private final Duration silenceLimit;

    /**
     * @param silenceLimit for so long the guest may say nothing, and fio write nothing
     */
    FioTurn(Control control, StopSignal stop, Duration silenceLimit) {
        this.control = control;
        this.stop = stop;
        this.silenceLimit = silenceLimit;
    }

    /**
     * Has fio write, and ends it.
     *
     * @param duration what is measured, after {@link #LEAD_IN}
     * @return bytes per second of the host's clock
     */
    double measure(DiskWorkload workload, Duration duration) throws RemusException {
        // It is ended from here; if this process dies first, it ends by itself.
        long longestSeconds = 3 * duration.plus(LEAD_IN).plus(silenceLimit).toSeconds();
        try (Socket socket = control.connect()) {
            socket.setSoTimeout(LOOK_MILLIS);
            socket.getOutputStream().write((script(workload, longestSeconds) + "\n").getBytes(StandardCharsets.UTF_8));
            Lines lines = new Lines(socket.getInputStream());
            double rate = rate(lines, duration);
            end();
            while (lines.next() != null) {
                // until it is certain that nothing is written any more
            }
            return rate;
        } catch (IOException e) {
            throw new CommandException("fio in the guest can't be watched: " + e.getMessage(), e);
        }
    }

    private static String script(DiskWorkload workload, long longestSeconds) {
        // The shell's own read starts no process, so that little of the guest's time goes into this.
        return workload.command("/dev/" + DISK, longestSeconds) + " > /run/bench.log 2>&1 & echo $! > /run/bench.pid;"
                + " while kill -0 $! 2> /dev/null; do read -r _ _ _ _ _ _ sectors _ < /sys/block/" + DISK + "/stat;"
                + " echo sectors $sectors; busybox usleep 250000; done; cat /run/bench.log";
    }

    private double rate(Lines lines, Duration duration) throws RemusException, IOException {
        long idleSectors = sectors(lines);
        long sectors;
        do {
            sectors = sectors(lines);
        } while (sectors == idleSectors);
        long leadInEnd = System.nanoTime() + LEAD_IN.toNanos();
        while (System.nanoTime() - leadInEnd < 0) {
            sectors = sectors(lines);
        }
        long begin = System.nanoTime();
        long now = begin;
        long first = sectors;
        // A disk that takes less than a write in that time is measured for longer: its rate is low, not nothing.
        while (now - begin < duration.toNanos() || sectors == first) {
            if (now - begin > duration.plus(silenceLimit).toNanos()) {
                throw new CommandException(
                        "fio in the guest has written nothing for %.1f s".formatted((now - begin) / 1e9));
            }
            sectors = sectors(lines);
            now = System.nanoTime();
        }
        return (sectors - first) * (double) SECTOR_BYTES * 1e9 / (now - begin);
    }

    /** What the guest's disk has taken so far, as of now. */
    private long sectors(Lines lines) throws RemusException, IOException {
        String line = lines.next();
        Matcher sample = SAMPLE.matcher(line == null ? "" : line);
        if (sample.matches()) {
            return Long.parseLong(sample.group(1));
        }
        StringBuilder said = new StringBuilder();
        for (String more = line; more != null; more = lines.next()) {
            said.append(said.isEmpty() ? "" : " | ").append(more);
        }
        throw new CommandException("fio in the guest has ended early: " + said);
    }

    private void end() throws RemusException, IOException {
        GuestControl.Answer answer = GuestControl.run(control.connect(), "kill $(cat /run/bench.pid)", silenceLimit);
        if (answer.exit() != 0) {
            throw new CommandException("fio in the guest can't be ended: " + answer.output());
        }
    }

    /** Lines of the guest, which may be waited for without missing the bench's end. */
    private final class Lines {
        private final InputStream in;
        private final ByteArrayOutputStream line = new ByteArrayOutputStream();

        Lines(InputStream in) {
            this.in = in;
        }

        /** The next one; null at the end. */
        @Nullable
        String next() throws RemusException, IOException {
            long deadline = System.nanoTime() + silenceLimit.toNanos();
            line.reset();
            while (true) {
                try {
                    int read = in.read();
                    if (read < 0) {
                        return null;
                    }
                    if (read == '\n') {
                        return line.toString(StandardCharsets.UTF_8);
                    }
                    line.write(read);
                    if (line.size() > MAX_LINE_BYTES) {
                        throw new IOException("a line of more than %d bytes".formatted(MAX_LINE_BYTES));
                    }
                } catch (SocketTimeoutException e) {
                    stop.check();
                    if (System.nanoTime() - deadline > 0) {
                        throw new IOException(
                                "the guest has said nothing for %d s".formatted(silenceLimit.toSeconds()), e);
                    }
                }
                stop.check();
            }
        }
    }
}
