package remus.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import remus.base.RemusException;
import remus.bench.StopSignal;

/**
 * Times a guest's work by the host's clock. The guest repeats a unit of work without end, and writes a line on its console
 * after each; the console is no output that waits for a checkpoint. A unit's end is known to {@link #POLL}. Confined to one
 * thread.
 */
final class WorkClock implements AutoCloseable {
    /** How often the console is looked at. */
    static final Duration POLL = Duration.ofMillis(2);

    /** A guest that ends no unit within it has come to harm. */
    private static final Duration SILENCE_LIMIT = Duration.ofMinutes(3);

    private final BenchConsole console;
    private final String prefix;
    private final StopSignal stop;
    private final FileChannel channel;
    private final ByteBuffer bytes = ByteBuffer.allocate(1 << 16);
    private final StringBuilder line = new StringBuilder();

    /** @param prefix of the lines that end a unit */
    WorkClock(BenchConsole console, String prefix, StopSignal stop) throws CommandException {
        this.console = console;
        this.prefix = prefix;
        this.stop = stop;
        try {
            channel = FileChannel.open(console.file(), StandardOpenOption.READ);
        } catch (IOException e) {
            throw unreadable(e);
        }
    }

    /** Waits for the end of the unit that is under way; returns the time of that, as {@link System#nanoTime}. */
    long awaitNext() throws RemusException, InterruptedException {
        countLines();
        return await(1);
    }

    /** Waits until so many more units are done. */
    long await(int units) throws RemusException, InterruptedException {
        long deadline = System.nanoTime() + SILENCE_LIMIT.toNanos();
        int left = units;
        while (true) {
            int done = countLines();
            long now = System.nanoTime();
            left -= done;
            if (left <= 0) {
                return now;
            }
            if (done > 0) {
                deadline = now + SILENCE_LIMIT.toNanos();
            }
            stop.check();
            if (now - deadline > 0) {
                throw new CommandException("the guest has done nothing for %d s; the last line of its console: %s"
                        .formatted(SILENCE_LIMIT.toSeconds(), console.lastLine()));
            }
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
        }
    }

    /** Reads what has been written since, and counts the lines that end in it. */
    private int countLines() throws CommandException {
        int count = 0;
        try {
            while (channel.read(bytes.clear()) > 0) {
                bytes.flip();
                while (bytes.hasRemaining()) {
                    char letter = (char) (bytes.get() & 0xff);
                    if (letter != '\n') {
                        line.append(letter);
                        continue;
                    }
                    if (line.indexOf(prefix) == 0) {
                        count++;
                    }
                    line.setLength(0);
                }
            }
        } catch (IOException e) {
            throw unreadable(e);
        }
        return count;
    }

    private static CommandException unreadable(IOException e) {
        return new CommandException("the guest's console can't be read: " + e.getMessage(), e);
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
