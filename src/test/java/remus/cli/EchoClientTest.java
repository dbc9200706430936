package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class EchoClientTest {
    private static final Duration LIMIT = Duration.ofSeconds(30);

    private ServerSocket server;
    private @Nullable Thread answering;

    /** The number that an answer carries, by the question's. */
    @FunctionalInterface
    private interface Numbers {
        long of(long question);
    }

    @BeforeEach
    void listen() throws Exception {
        server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
    }

    @AfterEach
    void end() throws Exception {
        server.close();
        if (answering != null) {
            answering.join();
        }
    }

    private EchoClient client(Numbers numbers) throws IOException {
        answering = Thread.ofPlatform().start(() -> answer(numbers));
        return EchoClient.start(new Socket(server.getInetAddress(), server.getLocalPort()));
    }

    private void answer(Numbers numbers) {
        try (Socket socket = server.accept();
                BufferedReader in =
                        new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String answer = line + " " + numbers.of(Long.parseLong(line)) + "\n";
                socket.getOutputStream().write(answer.getBytes(StandardCharsets.US_ASCII));
            }
        } catch (IOException e) {
            // The client has closed the connection in the middle of a question.
        }
    }

    @Test
    void aServiceThatGoesOnCountingIsTheSame() throws Exception {
        try (EchoClient client = client(question -> question + 41)) {
            assertTrue(client.awaitAnswerSince(System.nanoTime(), LIMIT));
            long now = System.nanoTime();
            assertTrue(client.awaitAnswerSince(now, LIMIT));
            assertTrue(client.answers().longestStallAfter(now).isPresent());
            assertNull(client.problem());
        }
    }

    @Test
    void aServiceThatCountsAnewIsAnotherOne() throws Exception {
        try (EchoClient client = client(question -> question < 3 ? question : 1)) {
            while (client.problem() == null) {
                assertFalse(client.answers().count() > 2);
                boolean _ = client.awaitAnswerSince(System.nanoTime(), LIMIT);
            }
            assertEquals("java.io.IOException: the guest answers '3 1' to 3 after 2", client.problem());
            assertFalse(client.awaitAnswerSince(System.nanoTime(), LIMIT));
        }
    }
}
