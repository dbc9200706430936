package remus.disk;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The handshake with one client: fixed newstyle, until it has chosen an export or gone. Every length is checked before
 * what it is the length of is waited for; no option is held that is longer than {@link NbdLimits#MAX_OPTION_BYTES}.
 */
final class NbdNegotiation {
    /** The only context there is; clients take its number as it is. */
    static final int ALLOCATION_CONTEXT_ID = 1;

    private static final int MAX_SHOWN_CHARACTERS = 80;

    private static final int TRANSMISSION_FLAGS = NbdProtocol.FLAG_HAS_FLAGS
            | NbdProtocol.FLAG_SEND_FLUSH
            | NbdProtocol.FLAG_SEND_FUA
            | NbdProtocol.FLAG_SEND_TRIM
            | NbdProtocol.FLAG_SEND_WRITE_ZEROES
            // All connections see the same image, and a flush is about all of it.
            | NbdProtocol.FLAG_CAN_MULTI_CONN;

    /** What the client has chosen. */
    record Choice(NbdExport export, NbdRequest.Agreement agreement) {}

    /** An option's data is not what the option demands; the text is for the client. */
    private static final class InvalidOption extends Exception {
        private static final long serialVersionUID = 1L;

        InvalidOption(String message) {
            super(message);
        }
    }

    private final Map<String, NbdExport> exports;
    private final NbdInput input;
    private final NbdOutput output;
    private final ByteBuffer replies = ByteBuffer.allocate(NbdLimits.BUFFER_BYTES);
    private boolean zeroesUnwanted;
    private boolean structured;
    // The export for which the allocation context was chosen last.
    private @Nullable String contextOf;

    NbdNegotiation(Map<String, NbdExport> exports, NbdInput input, NbdOutput output) {
        this.exports = exports;
        this.input = input;
        this.output = output;
    }

    /** Negotiates; null when the client has said that it goes, or went without a word. */
    @Nullable
    Choice run() throws IOException, NbdException {
        replies.putLong(NbdProtocol.INIT_PASSWD)
                .putLong(NbdProtocol.OPTION_MAGIC)
                .putShort((short) (NbdProtocol.FLAG_FIXED_NEWSTYLE | NbdProtocol.FLAG_NO_ZEROES));
        send();
        input.require(Integer.BYTES);
        int flags = input.unread().getInt();
        if ((flags & ~(NbdProtocol.FLAG_FIXED_NEWSTYLE | NbdProtocol.FLAG_NO_ZEROES)) != 0) {
            throw new NbdException("unknown client flags 0x" + Integer.toHexString(flags));
        }
        zeroesUnwanted = (flags & NbdProtocol.FLAG_NO_ZEROES) != 0;
        for (int count = 0; count < NbdLimits.MAX_OPTIONS; count++) {
            input.require(NbdProtocol.OPTION_HEADER_BYTES);
            long magic = input.unread().getLong();
            int option = input.unread().getInt();
            long length = Integer.toUnsignedLong(input.unread().getInt());
            if (magic != NbdProtocol.OPTION_MAGIC) {
                throw new NbdException("an option begins with 0x" + Long.toHexString(magic));
            }
            if (option == NbdProtocol.OPT_ABORT) {
                acknowledge(option);
                send();
                return null;
            }
            @Nullable Choice choice = answer(option, length);
            if (choice != null) {
                return choice;
            }
        }
        throw new NbdException("more than " + NbdLimits.MAX_OPTIONS + " options");
    }

    private @Nullable Choice answer(int option, long length) throws IOException, NbdException {
        if (length > NbdLimits.MAX_OPTION_BYTES) {
            if (length > NbdLimits.MAX_SKIPPED_OPTION_BYTES || option == NbdProtocol.OPT_EXPORT_NAME) {
                throw new NbdException("option " + Integer.toUnsignedString(option) + " of " + length + " bytes");
            }
            input.skip(length);
            refuse(option, NbdProtocol.REP_ERR_TOO_BIG, "more than " + NbdLimits.MAX_OPTION_BYTES + " bytes of data");
            send();
            return null;
        }
        input.require((int) length);
        ByteBuffer data = input.unread().slice(input.unread().position(), (int) length);
        input.unread().position(input.unread().position() + (int) length);
        @Nullable Choice choice = null;
        try {
            choice = answer(option, data);
        } catch (InvalidOption e) {
            replies.clear();
            refuse(option, NbdProtocol.REP_ERR_INVALID, String.valueOf(e.getMessage()));
        }
        send();
        return choice;
    }

    private @Nullable Choice answer(int option, ByteBuffer data) throws InvalidOption, NbdException {
        switch (option) {
            case NbdProtocol.OPT_EXPORT_NAME -> {
                return byName(data);
            }
            case NbdProtocol.OPT_GO -> {
                return describe(option, data);
            }
            case NbdProtocol.OPT_INFO -> describe(option, data);
            case NbdProtocol.OPT_LIST -> list(data);
            case NbdProtocol.OPT_STRUCTURED_REPLY -> {
                end(data);
                structured = true;
                acknowledge(option);
            }
            case NbdProtocol.OPT_LIST_META_CONTEXT, NbdProtocol.OPT_SET_META_CONTEXT -> contexts(option, data);
            default -> refuse(option, NbdProtocol.REP_ERR_UNSUP, "not an option of this server");
        }
        return null;
    }

    /** The old way to choose, which knows no errors but to be cut off. */
    private Choice byName(ByteBuffer data) throws InvalidOption, NbdException {
        String name = text(data, data.remaining());
        @Nullable NbdExport export = exports.get(name);
        if (export == null) {
            throw new NbdException(noExport(name));
        }
        replies.putLong(export.bytes()).putShort((short) transmissionFlags());
        if (!zeroesUnwanted) {
            replies.put(new byte[NbdProtocol.RESERVED_ZEROES]);
        }
        return chosen(export);
    }

    /** A name from a client is shown so that it can't do anything to a log or a terminal. */
    private static String noExport(String name) {
        String start = name.substring(0, Math.min(name.length(), MAX_SHOWN_CHARACTERS));
        return "there is no export '" + start.replaceAll("\\P{Print}", "?") + "'";
    }

    private Choice chosen(NbdExport export) {
        return new Choice(
                export, new NbdRequest.Agreement(structured, export.name().equals(contextOf)));
    }

    private int transmissionFlags() {
        return TRANSMISSION_FLAGS | (structured ? NbdProtocol.FLAG_SEND_DF : 0);
    }

    private @Nullable Choice describe(int option, ByteBuffer data) throws InvalidOption {
        String name = text(data, length(data));
        List<Integer> wanted = new ArrayList<>();
        int count = Short.toUnsignedInt(number(data, Short.BYTES).getShort());
        for (int i = 0; i < count; i++) {
            wanted.add(Short.toUnsignedInt(number(data, Short.BYTES).getShort()));
        }
        end(data);
        @Nullable NbdExport export = exports.get(name);
        if (export == null) {
            refuse(option, NbdProtocol.REP_ERR_UNKNOWN, noExport(name));
            return null;
        }
        begin(option, NbdProtocol.REP_INFO, 12);
        replies.putShort(NbdProtocol.INFO_EXPORT).putLong(export.bytes()).putShort((short) transmissionFlags());
        if (wanted.contains((int) NbdProtocol.INFO_NAME)) {
            byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
            begin(option, NbdProtocol.REP_INFO, 2 + bytes.length);
            replies.putShort(NbdProtocol.INFO_NAME).put(bytes);
        }
        begin(option, NbdProtocol.REP_INFO, 14);
        replies.putShort(NbdProtocol.INFO_BLOCK_SIZE)
                .putInt(NbdLimits.MIN_BLOCK_BYTES)
                .putInt(NbdLimits.PREFERRED_BLOCK_BYTES)
                .putInt(NbdLimits.MAX_PAYLOAD_BYTES);
        acknowledge(option);
        return option == NbdProtocol.OPT_GO ? chosen(export) : null;
    }

    private void list(ByteBuffer data) throws InvalidOption {
        end(data);
        for (String name : exports.keySet()) {
            byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
            begin(NbdProtocol.OPT_LIST, NbdProtocol.REP_SERVER, 4 + bytes.length);
            replies.putInt(bytes.length).put(bytes);
        }
        acknowledge(NbdProtocol.OPT_LIST);
    }

    private void contexts(int option, ByteBuffer data) throws InvalidOption {
        boolean setting = option == NbdProtocol.OPT_SET_META_CONTEXT;
        if (setting) {
            // Whatever becomes of this one, earlier choices are void.
            contextOf = null;
        }
        if (!structured) {
            throw new InvalidOption("structured replies come first");
        }
        String name = text(data, length(data));
        int count = number(data, Integer.BYTES).getInt();
        boolean matches = count == 0 && !setting;
        for (int i = 0; i != count; i++) {
            // Each query takes at least the bytes of its length, so the data ends this loop.
            String query = text(data, length(data));
            matches |= query.equals(NbdProtocol.ALLOCATION_CONTEXT)
                    || (query.equals(NbdProtocol.BASE_WILDCARD) && !setting);
        }
        end(data);
        if (!exports.containsKey(name)) {
            refuse(option, NbdProtocol.REP_ERR_UNKNOWN, noExport(name));
            return;
        }
        if (matches) {
            byte[] bytes = NbdProtocol.ALLOCATION_CONTEXT.getBytes(StandardCharsets.UTF_8);
            begin(option, NbdProtocol.REP_META_CONTEXT, 4 + bytes.length);
            replies.putInt(setting ? ALLOCATION_CONTEXT_ID : 0).put(bytes);
            if (setting) {
                contextOf = name;
            }
        }
        acknowledge(option);
    }

    private static int length(ByteBuffer data) throws InvalidOption {
        return number(data, Integer.BYTES).getInt();
    }

    private static ByteBuffer number(ByteBuffer data, int bytes) throws InvalidOption {
        if (data.remaining() < bytes) {
            throw new InvalidOption("the data ends too early");
        }
        return data;
    }

    private static String text(ByteBuffer data, int length) throws InvalidOption {
        if (length < 0 || length > data.remaining()) {
            throw new InvalidOption("a text is longer than the data");
        }
        if (length > NbdProtocol.MAX_STRING_BYTES) {
            throw new InvalidOption("a text is longer than " + NbdProtocol.MAX_STRING_BYTES + " bytes");
        }
        ByteBuffer bytes = data.slice(data.position(), length);
        data.position(data.position() + length);
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
        } catch (CharacterCodingException e) {
            throw new InvalidOption("a text is not UTF-8");
        }
    }

    private static void end(ByteBuffer data) throws InvalidOption {
        if (data.hasRemaining()) {
            throw new InvalidOption("the data is longer than the option has any");
        }
    }

    private void begin(int option, int type, int length) {
        replies.putLong(NbdProtocol.OPTION_REPLY_MAGIC)
                .putInt(option)
                .putInt(type)
                .putInt(length);
    }

    private void acknowledge(int option) {
        begin(option, NbdProtocol.REP_ACK, 0);
    }

    private void refuse(int option, int type, String text) {
        byte[] shown = text.substring(0, Math.min(text.length(), NbdLimits.MAX_ERROR_CHARACTERS))
                .getBytes(StandardCharsets.UTF_8);
        begin(option, type, shown.length);
        replies.put(shown);
    }

    private void send() throws IOException {
        output.send(replies.flip());
        replies.clear();
    }
}
