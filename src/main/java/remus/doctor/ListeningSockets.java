package remus.doctor;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import remus.base.HostAddress;

/** Reads who listens on TCP ports (proc(5), /proc/net/tcp), in the network namespace of this process. */
final class ListeningSockets {
    private static final List<Path> TABLES = List.of(Path.of("/proc/net/tcp"), Path.of("/proc/net/tcp6"));
    private static final String LISTENING = "0A";
    private static final int ADDRESS_FIELD = 1;
    private static final int STATE_FIELD = 3;

    private ListeningSockets() {}

    /** The addresses on which somebody listens on {@code port}. */
    static List<HostAddress> on(int port) throws IOException {
        List<HostAddress> found = new ArrayList<>();
        for (Path table : TABLES) {
            if (Files.exists(table)) { // without IPv6 there is only one
                found.addAll(parse(Files.readAllLines(table), port));
            }
        }
        return found;
    }

    static List<HostAddress> parse(List<String> table, int port) throws IOException {
        List<HostAddress> found = new ArrayList<>();
        for (String line : table.subList(Math.min(1, table.size()), table.size())) {
            String[] fields = line.strip().split("\\s+", STATE_FIELD + 2);
            if (fields.length > STATE_FIELD && fields[STATE_FIELD].equals(LISTENING)) {
                String[] local = fields[ADDRESS_FIELD].split(":", 2);
                if (Integer.parseInt(local[1], 16) == port) {
                    found.add(new HostAddress(address(local[0]), port));
                }
            }
        }
        return found;
    }

    /** The kernel prints an address as words of 32 bits in its own byte order. */
    private static String address(String hex) throws IOException {
        ByteBuffer words = ByteBuffer.wrap(HexFormat.of().parseHex(hex));
        ByteBuffer bytes = ByteBuffer.allocate(words.capacity()).order(ByteOrder.nativeOrder());
        while (words.hasRemaining()) {
            bytes.putInt(words.getInt());
        }
        return InetAddress.getByAddress(bytes.array()).getHostAddress();
    }
}
