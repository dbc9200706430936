package remus.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import remus.wire.FrameType;
import remus.wire.PageRuns;
import remus.wire.WireException;

class OutgoingPagesTest {
    private static final int PAGE_BYTES = 4096;
    private static final int GUEST_PAGES = 300;

    private final StagedPages staged = new StagedPages(PAGE_BYTES, 8L * GUEST_PAGES * PAGE_BYTES);
    private final OutgoingPages outgoing = new OutgoingPages(PAGE_BYTES, GUEST_PAGES, 256);

    /** Frames in short: type, number of pages. */
    private final List<String> frames = new ArrayList<>();

    private final Map<Long, Byte> received = new HashMap<>();

    @AfterEach
    void close() {
        staged.close();
    }

    @Test
    void aPageTakenTwiceIsSentOnceAsItWasLast() throws Exception {
        take(10, 5, 'a');
        take(12, 1, 'b');
        take(100, 1, 'c');
        send();
        assertEquals(List.of("PAGES 6"), frames);
        assertEquals("aabaa", text(10, 5));
        assertEquals(6, outgoing.sentPageCount());
        assertEquals(6, outgoing.pageCount());
    }

    @Test
    void pagesOfZerosAreSentAsSuchAfterTheOthers() throws Exception {
        take(10, 3, 'a');
        take(11, 1, 0);
        take(20, 2, 0);
        staged.appendZero(22, 30);
        take(51, 1, 'z');
        send();
        assertEquals(List.of("PAGES 3", "ZERO_PAGES 32"), frames);
        assertEquals("a.a", text(10, 3));
        assertEquals("z", text(51, 1));
        assertEquals(35, outgoing.sentPageCount());
    }

    @Test
    void aPageWithOneByteThatIsNotZeroIsNoZeroPage() throws Exception {
        MemorySegment page = MemorySegment.ofArray(new byte[PAGE_BYTES]);
        page.set(JAVA_BYTE, PAGE_BYTES - 1, (byte) 1);
        staged.append(7, 1, page, 0);
        send();
        assertEquals(List.of("PAGES 1"), frames);
    }

    @Test
    void whateverIsTakenInWhateverOrderTheLastCopiesArrive() throws Exception {
        long seed = 20080416;
        Random random = new Random(seed);
        for (int turn = 0; turn < 200; turn++) {
            staged.clear();
            received.clear();
            Map<Long, Byte> expected = new HashMap<>();
            for (int runs = random.nextInt(60); runs > 0; runs--) {
                int first = random.nextInt(GUEST_PAGES);
                int count = 1 + random.nextInt(Math.min(40, GUEST_PAGES - first));
                int fill = random.nextInt(3) == 0 ? 0 : 1 + random.nextInt(100);
                if (fill == 0 && random.nextBoolean()) {
                    staged.appendZero(first, count);
                } else {
                    take(first, count, fill);
                }
                for (long page = first; page < first + count; page++) {
                    expected.put(page, (byte) fill);
                }
            }
            send();
            assertEquals(expected, received, "seed " + seed + " turn " + turn);
            assertEquals(expected.size(), outgoing.sentPageCount());
        }
    }

    private void take(long first, int count, int fill) throws CheckpointException {
        byte[] bytes = new byte[count * PAGE_BYTES];
        Arrays.fill(bytes, (byte) fill);
        staged.append(first, count, MemorySegment.ofArray(bytes), 0);
    }

    private String text(long first, int count) {
        StringBuilder text = new StringBuilder();
        for (long page = first; page < first + count; page++) {
            byte fill = received.getOrDefault(page, (byte) '?');
            text.append(fill == 0 ? '.' : (char) fill);
        }
        return text.toString();
    }

    private void send() throws WireException {
        outgoing.start(staged);
        PageRuns runs = new PageRuns(GUEST_PAGES, PAGE_BYTES);
        while (true) {
            ByteBuffer head = ByteBuffer.allocate(64 << 10);
            ByteArrayOutputStream behind = new ByteArrayOutputStream();
            FrameType type = outgoing.next(
                    head,
                    (memory, offset, length) ->
                            behind.writeBytes(memory.asSlice(offset, length).toArray(JAVA_BYTE)));
            if (type == null) {
                return;
            }
            byte[] payload = Arrays.copyOf(head.array(), head.position() + behind.size());
            System.arraycopy(behind.toByteArray(), 0, payload, head.position(), behind.size());
            if (type == FrameType.PAGES) {
                runs.decode(ByteBuffer.wrap(payload), MemorySegment.ofArray(payload));
            } else {
                assertEquals(FrameType.ZERO_PAGES, type);
                runs.decodeZero(ByteBuffer.wrap(payload));
            }
            frames.add(type + " " + runs.pageCount());
            for (int run = 0; run < runs.runCount(); run++) {
                for (int i = 0; i < runs.pageCount(run); i++) {
                    byte fill = type == FrameType.PAGES
                            ? runs.data().get(JAVA_BYTE, runs.dataOffset(run) + (long) i * PAGE_BYTES)
                            : 0;
                    assertFalse(received.containsKey(runs.firstPage(run) + i) && frames.size() < 2, "sent twice");
                    received.put(runs.firstPage(run) + i, fill);
                }
            }
        }
    }
}
