package remus.qemu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Cuts what QEMU sends into lines and reads each as one JSON object. Takes bytes in whatever pieces they come. After an
 * exception the stream is unusable. Holds at most {@value #MAX_LINE_BYTES} bytes of an unfinished line beside one piece.
 */
final class QmpInput {
    /** Longest line that is understood; the replies to what we ask are a few hundred bytes long. */
    static final int MAX_LINE_BYTES = 1 << 20;

    private static final int EXCERPT_BYTES = 120;

    private static final String EVENT_BEGIN = "{\"timestamp\": {\"seconds\": ";

    private final JsonMapper mapper;
    private final Frequent[] frequents;
    private byte[] buffer = new byte[8192];
    private int start;
    private int scanned;
    private int end;

    QmpInput(JsonMapper mapper) {
        this.mapper = mapper;
        frequents = new Frequent[] {
            new Frequent(mapper, "{\"return\": {}}", ""),
            new Frequent(mapper, EVENT_BEGIN, "\"event\": \"STOP\"}"),
            new Frequent(mapper, EVENT_BEGIN, "\"event\": \"RESUME\"}")
        };
    }

    /**
     * What comes with each checkpoint, recognized by how QEMU writes it; what is written otherwise is read as JSON and means
     * the same. Nothing is allocated for it, and the guest stands still meanwhile.
     */
    private static final class Frequent {
        private final byte[] begin;
        private final byte[] end;
        private final JsonNode message;

        /** Of a line that begins and ends like this, with a time stamp in between where it has an end of its own. */
        Frequent(JsonMapper mapper, String begin, String end) {
            this.begin = begin.getBytes(StandardCharsets.ISO_8859_1);
            this.end = (end + "\r").getBytes(StandardCharsets.ISO_8859_1);
            message = mapper.readTree(end.isEmpty() ? begin : "{" + end);
        }

        /** Read-only. */
        JsonNode message() {
            return message;
        }

        boolean matches(byte[] line, int from, int length) {
            int endsFrom = from + length - end.length;
            return endsFrom >= from + begin.length
                    && Arrays.equals(line, from, from + begin.length, begin, 0, begin.length)
                    && Arrays.equals(line, endsFrom, from + length, end, 0, end.length)
                    && (end.length > 1 || endsFrom == from + begin.length)
                    && isTimeStamp(line, from + begin.length, endsFrom);
        }

        /** Data of an event would be another object. */
        private static boolean isTimeStamp(byte[] line, int from, int until) {
            for (int at = from; at < until; at++) {
                if (line[at] == '{') {
                    return false;
                }
            }
            return true;
        }
    }

    /** Takes the first {@code length} bytes of {@code source}. */
    void append(MemorySegment source, int length) {
        if (start > 0) {
            System.arraycopy(buffer, start, buffer, 0, end - start);
            end -= start;
            scanned -= start;
            start = 0;
        }
        if (length > buffer.length - end) {
            buffer = Arrays.copyOf(buffer, Math.max(end + length, buffer.length * 2));
        }
        MemorySegment.copy(source, JAVA_BYTE, 0, buffer, end, length);
        end += length;
    }

    /** The next complete message, or null until more bytes have come. */
    @Nullable
    JsonNode next() throws QmpException {
        while (true) {
            while (scanned < end && buffer[scanned] != '\n') {
                scanned++;
            }
            if (scanned - start > MAX_LINE_BYTES) {
                throw QmpException.unusable(
                        "QEMU sent a QMP line of more than " + MAX_LINE_BYTES + " bytes: " + excerpt(scanned), null);
            }
            if (scanned == end) {
                return null;
            }
            int from = start;
            int length = scanned - start;
            scanned++;
            if (isBlank(from, length)) {
                start = scanned;
                continue;
            }
            JsonNode message = parse(from, length);
            start = scanned;
            return message;
        }
    }

    private JsonNode parse(int from, int length) throws QmpException {
        for (Frequent frequent : frequents) {
            if (frequent.matches(buffer, from, length)) {
                return frequent.message();
            }
        }
        JsonNode message;
        try {
            message = mapper.readTree(buffer, from, length);
        } catch (JacksonException e) {
            throw QmpException.unusable("QEMU sent something other than JSON on QMP: " + excerpt(from + length), e);
        }
        if (!message.isObject()) {
            throw QmpException.unusable("QEMU sent no object on QMP: " + excerpt(from + length), null);
        }
        return message;
    }

    private boolean isBlank(int from, int length) {
        for (int i = from; i < from + length; i++) {
            if (buffer[i] != '\r' && buffer[i] != ' ') {
                return false;
            }
        }
        return true;
    }

    private String excerpt(int until) {
        int length = Math.min(until - start, EXCERPT_BYTES);
        return "'"
                + new String(buffer, start, length, StandardCharsets.ISO_8859_1).strip()
                + (length < until - start ? "…'" : "'");
    }
}
