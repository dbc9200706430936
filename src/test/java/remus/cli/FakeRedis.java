package remus.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** Enough of a Redis server for the client load, with the faults that a bad failover would show. */
final class FakeRedis implements AutoCloseable {
    final AtomicInteger connections = new AtomicInteger();
    final AtomicLong requests = new AtomicLong();

    /** Held while a request is answered: who holds it stalls the server. */
    final ReentrantLock answering = new ReentrantLock();

    private final ServerSocket listener = new ServerSocket(0, 5, InetAddress.getLoopbackAddress());
    private final Map<String, String> values = new HashMap<>();
    private volatile @Nullable Socket client;
    private volatile boolean refusing;

    FakeRedis() throws IOException {
        Thread.ofPlatform().name("fake-redis").daemon().start(this::serve);
    }

    Socket connect() throws IOException {
        return new Socket(listener.getInetAddress(), listener.getLocalPort());
    }

    /** A copy of all data, to go back to. */
    Map<String, String> snapshot() {
        answering.lock();
        try {
            return new HashMap<>(values);
        } finally {
            answering.unlock();
        }
    }

    /** Forgets what came after the snapshot. */
    void restore(Map<String, String> snapshot) {
        answering.lock();
        try {
            values.clear();
            values.putAll(snapshot);
        } finally {
            answering.unlock();
        }
    }

    void resetConnection() throws IOException {
        Socket socket = client;
        if (socket != null) {
            socket.setSoLinger(true, 0);
            socket.close();
        }
    }

    void refuseFromNowOn() {
        refusing = true;
    }

    private void serve() {
        while (!listener.isClosed()) {
            try (Socket socket = listener.accept()) {
                connections.incrementAndGet();
                client = socket;
                serve(socket);
            } catch (IOException e) {
                // The client went, or the test ended: the loop's condition tells which.
                client = null;
            }
        }
    }

    private void serve(Socket socket) throws IOException {
        InputStream in = new BufferedInputStream(socket.getInputStream());
        OutputStream out = socket.getOutputStream();
        while (true) {
            String[] command = new String[number(line(in), '*')];
            for (int part = 0; part < command.length; part++) {
                byte[] bytes = in.readNBytes(number(line(in), '$'));
                command[part] = new String(bytes, UTF_8);
                in.skipNBytes(2);
            }
            answering.lock();
            try {
                requests.incrementAndGet();
                out.write(answer(command).getBytes(UTF_8));
            } finally {
                answering.unlock();
            }
        }
    }

    private String answer(String[] command) {
        if (refusing) {
            return "-OOM command not allowed\r\n";
        }
        return switch (command[0]) {
            case "INCR" -> {
                long next = Long.parseLong(values.getOrDefault(command[1], "0")) + 1;
                values.put(command[1], Long.toString(next));
                yield ":" + next + "\r\n";
            }
            case "SET" -> {
                values.put(command[1], command[2]);
                yield "+OK\r\n";
            }
            case "GET" -> {
                String value = values.get(command[1]);
                yield value == null ? "$-1\r\n" : "$" + value.length() + "\r\n" + value + "\r\n";
            }
            default -> "-ERR unknown command '" + command[0] + "'\r\n";
        };
    }

    private static int number(String line, char mark) throws IOException {
        if (line.isEmpty() || line.charAt(0) != mark) {
            throw new IOException("unexpected '" + line + "'");
        }
        return Integer.parseInt(line.substring(1));
    }

    private static String line(InputStream in) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int next = in.read(); next != '\n'; next = in.read()) {
            if (next < 0) {
                throw new IOException("the client went");
            }
            if (next != '\r') {
                line.append((char) next);
            }
        }
        return line.toString();
    }

    @Override
    public void close() throws IOException {
        listener.close();
        Socket socket = client;
        if (socket != null) {
            socket.close();
        }
    }
}
