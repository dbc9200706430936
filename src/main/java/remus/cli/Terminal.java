package remus.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Where commands write: results to {@code out}, everything else to {@code err}.
 *
 * @param outIsTerminal a person looks at {@code out}: colours and lines that are written over are welcome
 * @param errIsTerminal the same for {@code err}
 */
record Terminal(PrintWriter out, PrintWriter err, boolean outIsTerminal, boolean errIsTerminal) {
    static Terminal ofProcess() {
        return new Terminal(writer(FileDescriptor.out), writer(FileDescriptor.err), isTerminal(1), isTerminal(2));
    }

    /** Whether a person can press keys: the process' own input, which only what is interactive asks for. */
    static boolean inputIsTerminal() {
        return isTerminal(0);
    }

    private static PrintWriter writer(FileDescriptor descriptor) {
        OutputStream stream = new FileOutputStream(descriptor);
        return new PrintWriter(stream, true, UTF_8);
    }

    /** Asks Linux rather than {@code System.console()}, which takes 50 ms to load and knows only of both together. */
    private static boolean isTerminal(int descriptor) {
        try {
            String target = Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor))
                    .toString();
            boolean device =
                    target.startsWith("/dev/pts/") || target.startsWith("/dev/tty") || target.equals("/dev/console");
            return device && !"dumb".equals(System.getenv("TERM"));
        } catch (IOException e) {
            // Not knowing is answered plainly: without colours.
            return false;
        }
    }
}
