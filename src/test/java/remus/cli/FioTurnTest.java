package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import remus.base.RemusException;
import remus.bench.DiskWorkload;
import remus.bench.StopSignal;

@Timeout(60)
class FioTurnTest {
    /** What the guest's disk takes between two of its samples. */
    private static final long SECTORS_PER_SAMPLE = 2048;

    private final StopSignal stop = StopSignal.install();
    private final List<String> asked = new CopyOnWriteArrayList<>();
    private final CountDownLatch killed = new CountDownLatch(1);
    private ServerSocket service;

    @BeforeEach
    void listen() throws IOException {
        service = new ServerSocket(0, 4, InetAddress.getLoopbackAddress());
    }

    @AfterEach
    void close() throws IOException {
        service.close();
        stop.close();
    }

    /** What the guest says to its first question; a later one ends it, as kill does. */
    private void serve(Guest guest) {
        Thread.ofVirtual().start(() -> {
            try {
                Socket first = accept();
                Thread.ofVirtual().start(() -> answer(first, guest));
                Socket second = accept();
                killed.countDown();
                answer(second, out -> {});
            } catch (IOException e) {
                // The test is over.
                killed.countDown();
            }
        });
    }

    private Socket accept() throws IOException {
        Socket socket = service.accept();
        InputStreamReader text = new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8);
        asked.add(String.valueOf(new BufferedReader(text).readLine()));
        return socket;
    }

    private static void answer(Socket socket, Guest guest) {
        try (socket) {
            guest.talk(socket.getOutputStream());
            say(socket.getOutputStream(), "\nexit=0");
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private interface Guest {
        void talk(OutputStream out) throws IOException, InterruptedException;
    }

    private static void say(OutputStream out, String line) throws IOException {
        out.write((line + "\n").getBytes(StandardCharsets.UTF_8));
        out.flush();
    }

    private double measure(Duration duration) throws RemusException {
        return measure(duration, FioTurn.SILENCE_LIMIT);
    }

    private double measure(Duration duration, Duration silenceLimit) throws RemusException {
        return new FioTurn(
                        () -> {
                            try {
                                return new Socket(service.getInetAddress(), service.getLocalPort());
                            } catch (IOException e) {
                                throw new CommandException("no guest", e);
                            }
                        },
                        stop,
                        silenceLimit)
                .measure(DiskWorkload.RANDOM_4K, duration);
    }

    @Test
    void theRateIsWhatTheDiskTookByTheHostsClockAndFioIsEndedAfterwards() throws Exception {
        long[] sampleCount = new long[1];
        serve(out -> {
            say(out, "sectors 77");
            say(out, "sectors 77");
            while (!killed.await(20, TimeUnit.MILLISECONDS)) {
                say(out, "sectors " + (77 + ++sampleCount[0] * SECTORS_PER_SAMPLE));
            }
        });
        long began = System.nanoTime();
        double rate = measure(Duration.ofMillis(500));
        double elapsedSeconds = (System.nanoTime() - began) / 1e9;
        assertTrue(rate > 0, "rate=" + rate);
        assertTrue(
                rate <= sampleCount[0] * SECTORS_PER_SAMPLE * 512 / 0.5,
                "more than all there was, in the shortest time: rate=" + rate);
        assertTrue(elapsedSeconds >= 2.5, "lead-in and measurement took " + elapsedSeconds + " s");
        assertTrue(asked.getFirst().contains("--filename=/dev/vdb"), asked.toString());
        assertEquals("kill $(cat /run/bench.pid)", asked.get(1));
    }

    @Test
    void aDiskThatTakesNothingInTheTimeIsMeasuredUntilItsNextWrite() throws Exception {
        serve(out -> {
            long began = System.nanoTime();
            say(out, "sectors 77");
            say(out, "sectors 78");
            while (!killed.await(20, TimeUnit.MILLISECONDS)) {
                long elapsedSeconds = (System.nanoTime() - began) / 1_000_000_000;
                say(out, "sectors " + (elapsedSeconds < 4 ? 78 : 2078));
            }
        });
        double rate = measure(Duration.ofMillis(100));
        assertTrue(rate > 0 && rate < 2000 * 512 / 1.5, "rate=" + rate);
    }

    @Test
    void fioThatEndsEarlyIsNamedWithItsWords() throws Exception {
        serve(out -> {
            say(out, "sectors 77");
            say(out, "fio: looks like your file system does not support direct=1");
        });
        RemusException failure = assertThrows(RemusException.class, () -> measure(Duration.ofSeconds(1)));
        assertTrue(String.valueOf(failure.getMessage()).contains("direct=1"), failure.toString());
    }

    @Test
    void aDiskThatTakesNothingMoreIsNoMeasurement() {
        serve(out -> {
            say(out, "sectors 77");
            say(out, "sectors 78");
            while (!killed.await(20, TimeUnit.MILLISECONDS)) {
                say(out, "sectors 78");
            }
        });
        RemusException failure =
                assertThrows(RemusException.class, () -> measure(Duration.ofMillis(300), Duration.ofMillis(300)));
        assertTrue(String.valueOf(failure.getMessage()).contains("has written nothing"), failure.toString());
    }
}
