package remus.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A client of the guest's echo service on one TCP connection that is never replaced: asks once every {@link #EVERY}, and
 * not before the last answer. The guest numbers its answers; a number that does not follow the last one ends the client,
 * for then it does not talk to the guest that it knew. Runs in a thread of its own until {@link #close}.
 */
final class EchoClient implements AutoCloseable {
    /** Where the service listens in the guest. */
    static final int PORT = 7;

    /** The shortest time from one answer to the next question. */
    static final Duration EVERY = Duration.ofMillis(10);

    private static final Duration ANSWER_LIMIT = Duration.ofSeconds(60);
    private static final Duration LOOK_EVERY = Duration.ofMillis(5);

    private final Socket socket;
    private final AnswerTimes answers = new AnswerTimes();
    private final Thread thread;
    private volatile @Nullable String problem;
    private volatile boolean closed;

    private EchoClient(Socket socket) {
        this.socket = socket;
        thread = Thread.ofPlatform().name("echo-client").daemon().unstarted(this::run);
    }

    /** Begins to ask, and owns the connection. */
    static EchoClient start(Socket socket) throws IOException {
        socket.setTcpNoDelay(true);
        socket.setSoTimeout((int) ANSWER_LIMIT.toMillis());
        EchoClient client = new EchoClient(socket);
        client.thread.start();
        return client;
    }

    private void run() {
        try (BufferedReader in =
                new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII))) {
            long last = 0;
            for (long asked = 1; !closed; asked++) {
                long sent = System.nanoTime();
                socket.getOutputStream().write((asked + "\n").getBytes(StandardCharsets.US_ASCII));
                String line = in.readLine();
                if (line == null) {
                    throw new IOException("the guest has closed the connection");
                }
                String[] words = line.split(" ", -1);
                boolean isAnswer = words.length == 2 && words[0].equals(Long.toString(asked));
                boolean isNext = isAnswer && (last == 0 || words[1].equals(Long.toString(last + 1)));
                if (!isNext) {
                    throw new IOException("the guest answers '%s' to %d after %d".formatted(line, asked, last));
                }
                last = Long.parseLong(words[1]);
                answers.add(sent, Moment.now());
                LockSupport.parkNanos(EVERY.toNanos());
            }
        } catch (IOException | NumberFormatException e) {
            if (!closed) {
                problem = LoadTally.rootMessage(e);
            }
        }
    }

    /** When it asked and was answered. */
    AnswerTimes answers() {
        return answers;
    }

    /** What has put an end to it, or null. */
    @Nullable
    String problem() {
        return problem;
    }

    /** Waits until a question that was asked after {@code nanos} has its answer; false when none comes within the limit. */
    boolean awaitAnswerSince(long nanos, Duration limit) throws InterruptedException {
        long deadline = System.nanoTime() + limit.toNanos();
        while (!answers.isAnsweredSince(nanos)) {
            if (problem != null || System.nanoTime() - deadline > 0) {
                return false;
            }
            TimeUnit.NANOSECONDS.sleep(LOOK_EVERY.toNanos());
        }
        return true;
    }

    @Override
    public void close() throws IOException {
        closed = true;
        socket.close();
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
