package remus.host;

import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import remus.base.HostAddress;
import remus.base.Term;
import remus.base.Time;
import remus.replication.PeerAnswer;
import remus.replication.PeerQuery;
import remus.wire.Hello;

/** What a backup learns by asking its primary over sockets. */
@Timeout(60)
class PrimaryInquiryTest {
    private static final Duration DETECT = Duration.ofSeconds(20);

    private static final Time TIME = new Time() {
        @Override
        public long nanos() {
            return System.nanoTime();
        }

        @Override
        public long wallMillis() {
            return System.currentTimeMillis();
        }
    };

    private static ServerSocket listen() throws IOException {
        return new ServerSocket(0, 5, InetAddress.getLoopbackAddress());
    }

    private static Hello hello(HostAddress primary, Duration detect) {
        return new Hello(
                Hello.Mode.NEW,
                "shop",
                "alpha",
                primary,
                "pc-q35-7.2",
                "7.2.22",
                2 << 20,
                4096,
                Duration.ofMillis(25),
                detect,
                0,
                new byte[0],
                List.of(),
                List.of());
    }

    /** Asks the daemon that listens there; what it says or does not comes within the limit, or null. */
    private static @Nullable PeerAnswer ask(ServerSocket server, Duration detect) throws Exception {
        BlockingQueue<PeerAnswer> answers = new LinkedBlockingQueue<>();
        Agent agent = new Agent(() -> {});
        HostAddress address = new HostAddress(server.getInetAddress().getHostAddress(), server.getLocalPort());
        PrimaryInquiry inquiry =
                new PrimaryInquiry(new PeerQuery(TIME), address, hello(address, detect), new Term(2), agent);
        inquiry.ask(answers::add);
        long deadline = System.nanoTime() + DETECT.toNanos() / 2;
        PeerAnswer answer = null;
        while (answer == null && System.nanoTime() - deadline < 0) {
            agent.runPosted();
            answer = answers.poll(5, TimeUnit.MILLISECONDS);
        }
        return answer;
    }

    /** Takes connections as the kernel does for a daemon that is being killed, and breaks them without a word. */
    private static void breakConnections(ServerSocket server, int connections) throws IOException {
        for (int i = 0; i < connections; i++) {
            Socket taken = server.accept();
            taken.setSoLinger(true, 0);
            taken.close();
        }
    }

    @Test
    void aPrimaryThatDiesWhileItIsAskedIsFoundDead() throws Exception {
        try (ServerSocket server = listen()) {
            CompletableFuture<Void> dying = CompletableFuture.runAsync(() -> {
                try (server) {
                    breakConnections(server, 2);
                } catch (IOException e) {
                    throw new IllegalStateException(e);
                }
            });
            assertInstanceOf(PeerAnswer.Refused.class, ask(server, DETECT));
            dying.get(1, TimeUnit.SECONDS);
        }
    }

    @Test
    void aPrimaryThatBreaksEveryQuestionIsAskedNoLongerThanTheDetectionTime() throws Exception {
        try (ServerSocket server = listen()) {
            Thread.ofPlatform().daemon().start(() -> {
                try {
                    breakConnections(server, Integer.MAX_VALUE);
                } catch (IOException e) {
                    // closed by the test
                }
            });
            assertInstanceOf(PeerAnswer.Unreachable.class, ask(server, Duration.ofMillis(200)));
        }
    }
}
