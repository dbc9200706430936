package remus.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UnixStreamSocketTest {
    @TempDir
    private Path directory;

    @Test
    void whoListensOnlyLaterIsConnectedToThen() throws Exception {
        Path path = directory.resolve("socket");
        assertEquals(
                Errno.ENOENT,
                assertThrows(LinuxException.class, () -> UnixStreamSocket.connect(path))
                        .errno());
        CompletableFuture<UnixStreamSocket> connected = CompletableFuture.supplyAsync(() -> {
            try {
                return UnixStreamSocket.connectWithin(path, Duration.ofMinutes(1));
            } catch (LinuxException e) {
                throw new AssertionError(e);
            }
        });
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(path));
            server.accept().close();
            connected.join().close();
        }
    }

    @Test
    void whereNobodyListensInTimeTheReasonIsTold() {
        LinuxException refusal = assertThrows(
                LinuxException.class,
                () -> UnixStreamSocket.connectWithin(directory.resolve("none"), Duration.ofMillis(5)));
        assertEquals(Errno.ENOENT, refusal.errno());
    }
}
