package remus.disk;

import java.io.EOFException;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HexFormat;

/** A client that sends what a test wants, right or wrong, and shows the bytes that come back. */
final class NbdTestClient implements AutoCloseable {
    /** The server's first words. */
    static final String GREETING = "4e42444d41474943 49484156454f5054 0003";

    private final SocketChannel channel;

    private NbdTestClient(SocketChannel channel) {
        this.channel = channel;
    }

    static NbdTestClient connect(Path socket) throws IOException {
        return new NbdTestClient(SocketChannel.open(UnixDomainSocketAddress.of(socket)));
    }

    /** Connects and answers the greeting with both client flags. */
    static NbdTestClient greeted(Path socket) throws IOException {
        NbdTestClient client = connect(socket);
        client.expect(GREETING);
        client.send("00000003");
        return client;
    }

    /** Connects and chooses {@code export}. */
    static NbdTestClient chosen(Path socket, String export, boolean structured) throws IOException {
        NbdTestClient client = greeted(socket);
        if (structured) {
            client.option(NbdProtocol.OPT_STRUCTURED_REPLY, new byte[0]);
            client.expect(reply(NbdProtocol.OPT_STRUCTURED_REPLY, NbdProtocol.REP_ACK, ""));
            client.option(NbdProtocol.OPT_SET_META_CONTEXT, contexts(export, "base:allocation"));
            client.expect(reply(
                    NbdProtocol.OPT_SET_META_CONTEXT,
                    NbdProtocol.REP_META_CONTEXT,
                    "00000001" + hex("base:allocation")));
            client.expect(reply(NbdProtocol.OPT_SET_META_CONTEXT, NbdProtocol.REP_ACK, ""));
        }
        client.option(NbdProtocol.OPT_GO, information(export));
        client.receive(20 + 12 + 20 + 14);
        client.expect(reply(NbdProtocol.OPT_GO, NbdProtocol.REP_ACK, ""));
        return client;
    }

    /** Data of INFO and GO. */
    static byte[] information(String export, int... wanted) {
        byte[] name = export.getBytes(StandardCharsets.UTF_8);
        ByteBuffer data = ByteBuffer.allocate(6 + name.length + 2 * wanted.length)
                .putInt(name.length)
                .put(name)
                .putShort((short) wanted.length);
        for (int information : wanted) {
            data.putShort((short) information);
        }
        return data.array();
    }

    /** Data of LIST_META_CONTEXT and SET_META_CONTEXT. */
    static byte[] contexts(String export, String... queries) {
        ByteBuffer data = ByteBuffer.allocate(4096);
        putText(data, export);
        data.putInt(queries.length);
        for (String query : queries) {
            putText(data, query);
        }
        byte[] bytes = new byte[data.position()];
        data.get(0, bytes);
        return bytes;
    }

    private static void putText(ByteBuffer data, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        data.putInt(bytes.length).put(bytes);
    }

    static String hex(String text) {
        return HexFormat.of().formatHex(text.getBytes(StandardCharsets.UTF_8));
    }

    /** An option's reply, as the document has it. */
    static String reply(int option, int type, String dataHex) {
        return "0003e889045565a9 %08x %08x %08x %s".formatted(option, type, dataHex.length() / 2, dataHex);
    }

    void option(int option, byte[] data) throws IOException {
        send(ByteBuffer.allocate(16 + data.length)
                .putLong(NbdProtocol.OPTION_MAGIC)
                .putInt(option)
                .putInt(data.length)
                .put(data)
                .flip());
    }

    /** A request's header, and data if there is any. */
    void request(int flags, int type, long cookie, long offset, long length, byte... data) throws IOException {
        send(ByteBuffer.allocate(28 + data.length)
                .putInt(NbdProtocol.REQUEST_MAGIC)
                .putShort((short) flags)
                .putShort((short) type)
                .putLong(cookie)
                .putLong(offset)
                .putInt((int) length)
                .put(data)
                .flip());
    }

    void send(String hex) throws IOException {
        send(ByteBuffer.wrap(HexFormat.of().parseHex(hex.replace(" ", ""))));
    }

    void send(ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    ByteBuffer receive(int count) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(count);
        while (bytes.hasRemaining()) {
            if (channel.read(bytes) < 0) {
                throw new EOFException("closed after " + bytes.position() + " of " + count + " bytes");
            }
        }
        return bytes.flip();
    }

    void expect(String hex) throws IOException {
        String expected = hex.replace(" ", "");
        String received =
                HexFormat.of().formatHex(receive(expected.length() / 2).array());
        if (!received.equals(expected)) {
            throw new AssertionError("received " + received + "\nexpected " + expected);
        }
    }

    /** A simple reply; with an error number, or 0 and data. */
    void expectSimple(int error, long cookie, String dataHex) throws IOException {
        expect("67446698 %08x %016x %s".formatted(error, cookie, dataHex));
    }

    void expectDone(long cookie) throws IOException {
        expectSimple(0, cookie, "");
    }

    /** Receives an error in one structured chunk and returns its text. */
    String expectErrorChunk(int error, long cookie) throws IOException {
        expect("668e33ef 0001 8001 %016x".formatted(cookie));
        int length = receive(4).getInt();
        expect("%08x".formatted(error));
        int textLength = receive(2).getShort();
        if (length != 6 + textLength) {
            throw new AssertionError("length " + length + " with a text of " + textLength);
        }
        return new String(receive(textLength).array(), StandardCharsets.UTF_8);
    }

    /** The server closes the connection, without another word. */
    void expectClosed() throws IOException {
        try {
            if (channel.read(ByteBuffer.allocate(1)) >= 0) {
                throw new AssertionError("the server went on talking");
            }
        } catch (java.net.SocketException e) {
            // Closed with bytes of ours unread: a reset.
            return;
        } catch (IOException e) {
            if (!String.valueOf(e.getMessage()).contains("reset")) {
                throw e;
            }
        }
    }

    void endOutput() throws IOException {
        channel.shutdownOutput();
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
