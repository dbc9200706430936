package remus.disk;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The way to one client. Any thread sends; what one call sends stays together. Waits as long as the client reads nothing.
 * A failure closes the connection: nobody knows how much of a message has arrived.
 */
final class NbdOutput {
    private final SocketChannel channel;
    private final ReentrantLock turn = new ReentrantLock();

    NbdOutput(SocketChannel channel) {
        this.channel = channel;
    }

    /** Sends all that remains of {@code bytes}. */
    void send(ByteBuffer bytes) throws IOException {
        turn.lock();
        boolean sent = false;
        try {
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            sent = true;
        } finally {
            try {
                if (!sent) {
                    channel.close();
                }
            } finally {
                turn.unlock();
            }
        }
    }
}
