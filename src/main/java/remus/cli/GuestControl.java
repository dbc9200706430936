package remus.cli;

import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The control service of the disk guest: runs one command line and tells what came of it (scripts/guest/README.md). */
final class GuestControl {
    /** An answer that is longer is none of ours. */
    static final int MAX_ANSWER_BYTES = 1 << 20;

    private static final Pattern ANSWER = Pattern.compile("(?s)(.*)\\nexit=(\\d{1,3})\\n");

    /**
     * What came of a command.
     *
     * @param exit the shell's exit code
     * @param output what it wrote to standard output and standard error
     */
    record Answer(int exit, String output) {}

    private GuestControl() {}

    /**
     * Runs a command line in the guest.
     *
     * @param socket connected to the service; it is closed
     * @param silence how long it may say nothing
     * @throws IOException also when the connection ends before the command does
     */
    static Answer run(Socket socket, String line, Duration silence) throws IOException {
        if (line.indexOf('\n') >= 0) {
            throw new IllegalArgumentException("more than one line: " + line);
        }
        try (socket) {
            socket.setSoTimeout(Math.toIntExact(silence.toMillis()));
            socket.getOutputStream().write((line + "\n").getBytes(StandardCharsets.UTF_8));
            InputStream in = socket.getInputStream();
            byte[] bytes = in.readNBytes(MAX_ANSWER_BYTES + 1);
            if (bytes.length > MAX_ANSWER_BYTES) {
                throw new IOException("the guest answers more than %d bytes".formatted(MAX_ANSWER_BYTES));
            }
            Matcher answer = ANSWER.matcher(new String(bytes, StandardCharsets.UTF_8));
            if (!answer.matches()) {
                throw new IOException(
                        "the guest's answer to '%s' was cut off after %d bytes".formatted(line, bytes.length));
            }
            return new Answer(Integer.parseInt(answer.group(2)), answer.group(1));
        }
    }
}
