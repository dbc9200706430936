package remus.cli;

import java.io.Writer;
import java.util.function.Consumer;

/** Hands on what is written line by line, but for empty ones. Not safe for several threads, as a writer's lock is not used. */
final class LineWriter extends Writer {
    private final Consumer<String> lines;
    private final StringBuilder line = new StringBuilder();

    LineWriter(Consumer<String> lines) {
        this.lines = lines;
    }

    @Override
    public void write(char[] letters, int from, int count) {
        for (int index = from; index < from + count; index++) {
            if (letters[index] == '\n') {
                hand();
            } else {
                line.append(letters[index]);
            }
        }
    }

    private void hand() {
        String whole = line.toString().strip();
        line.setLength(0);
        if (!whole.isEmpty()) {
            lines.accept(whole);
        }
    }

    @Override
    public void flush() {
        // Only whole lines go on.
    }

    @Override
    public void close() {
        hand();
    }
}
