package remus.cli;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * One line on stderr that says how far something is: written over on a terminal, with a bar, otherwise repeated when it has
 * changed, at most every {@link #PLAIN_EVERY}. Used by one thread; call {@link #end} before writing anything else.
 */
final class ProgressLine {
    private static final Duration PLAIN_EVERY = Duration.ofSeconds(2);
    private static final String ERASE_LINE = "\r\u001b[2K";

    private final Terminal terminal;
    private @Nullable String last;
    private long lastNanos;

    ProgressLine(Terminal terminal) {
        this.terminal = terminal;
    }

    void show(String text) {
        if (text.equals(last)) {
            return;
        }
        long now = System.nanoTime();
        if (terminal.errIsTerminal()) {
            terminal.err().print(ERASE_LINE + ProgressBar.beside(text));
            terminal.err().flush();
        } else if (last == null || now - lastNanos >= PLAIN_EVERY.toNanos()) {
            terminal.err().println(text);
            lastNanos = now;
        } else {
            return;
        }
        last = text;
    }

    /** Removes the line from a terminal. */
    void end() {
        if (last != null && terminal.errIsTerminal()) {
            terminal.err().print(ERASE_LINE);
            terminal.err().flush();
        }
        last = null;
    }
}
