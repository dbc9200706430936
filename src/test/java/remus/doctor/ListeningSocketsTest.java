package remus.doctor;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.List;
import org.junit.jupiter.api.Test;
import remus.base.HostAddress;

class ListeningSocketsTest {
    private static final List<String> TABLE = List.of(
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
            "   0: 0100007F:1CFC 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0",
            "   1: 00000000:1CFD 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0",
            "   2: 0100007F:1CFC 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 20 4 30 10 -1",
            "   3: 0000000000000000FFFF00000100007F:1CFC 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 4",
            "   4: 00000000000000000000000000000000:1CFC 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 4");

    @Test
    void thoseWhoListenAreReadAsTheKernelPrintsThem() throws Exception {
        assertEquals(
                List.of("127.0.0.1:7420", "127.0.0.1:7420", "[0:0:0:0:0:0:0:0]:7420"),
                ListeningSockets.parse(TABLE, 7420).stream()
                        .map(HostAddress::toString)
                        .toList());
        assertEquals(List.of(new HostAddress("0.0.0.0", 7421)), ListeningSockets.parse(TABLE, 7421));
        assertEquals(List.of(), ListeningSockets.parse(TABLE, 7422));
        assertEquals(List.of(), ListeningSockets.parse(List.of(), 7420));
    }

    @Test
    void aSocketOfOursIsFound() throws Exception {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            int port = socket.getLocalPort();
            assertEquals(List.of(new HostAddress("127.0.0.1", port)), ListeningSockets.on(port));
        }
    }
}
