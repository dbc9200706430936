package remus.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Frames as texts, so that a test reads as what it says; a sink that collects them. */
final class Frames implements OutputBuffer.Sink {
    private final List<String> texts = new ArrayList<>();

    static MemorySegment segment(String text) {
        return MemorySegment.ofArray(text.getBytes(StandardCharsets.ISO_8859_1));
    }

    static String text(MemorySegment memory, long offset, int length) {
        byte[] bytes = new byte[length];
        MemorySegment.copy(memory, JAVA_BYTE, offset, bytes, 0, length);
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }

    @Override
    public void frame(MemorySegment memory, long offset, int length) {
        texts.add(text(memory, offset, length));
    }

    /** What has come so far, in order. */
    List<String> texts() {
        return Collections.unmodifiableList(texts);
    }
}
