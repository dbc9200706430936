package remus.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
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
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import remus.wire.CodedPages;
import remus.wire.FrameType;
import remus.wire.PageRuns;
import remus.wire.WireException;

class OutgoingPagesTest {
    private static final int PAGE_BYTES = 4096;
    private static final int GUEST_PAGES = 300;
    private static final int SMALL_PAGES = 12;

    private final StagedPages staged = new StagedPages(PAGE_BYTES, 8L * GUEST_PAGES * PAGE_BYTES);
    private final OutgoingPages outgoing = new OutgoingPages(PAGE_BYTES, GUEST_PAGES, 256);

    /** Frames in short: type, number of pages. */
    private final List<String> frames = new ArrayList<>();

    private final Map<Long, Byte> received = new HashMap<>();

    @AfterEach
    void close() {
        staged.close();
        outgoing.close();
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

    /**
     * A backup that decodes against its last whole checkpoint has what the guest had, whatever breaks when: pages of several
     * checkpoints, sent coded or not, whole or in part, and again on a new connection from any that the backup may hold.
     */
    @Test
    void whateverBreaksTheBackupDecodesAgainstWhatWasEncodedAgainst() throws Exception {
        long seed = 20080416;
        Random random = new Random(seed);
        for (int turn = 0; turn < 60; turn++) {
            breakAtRandom(random, "seed " + seed + " turn " + turn);
        }
    }

    private void breakAtRandom(Random random, String name) throws Exception {
        byte[] guest = new byte[SMALL_PAGES * PAGE_BYTES];
        byte[] backup = new byte[guest.length];
        try (OutgoingPages primary = new OutgoingPages(PAGE_BYTES, SMALL_PAGES, 3)) {
            List<StagedPages> inFlight = new ArrayList<>();
            List<byte[]> sealed = new ArrayList<>();
            for (int step = 0; step < 60; step++) {
                if (inFlight.size() < 2) {
                    inFlight.add(takeSome(guest, random));
                    sealed.add(guest.clone());
                }
                boolean breaks = random.nextInt(4) == 0;
                // A break comes within one of those that are under way; those before it are whole.
                int wholeCount = breaks ? random.nextInt(inFlight.size() + 1) : 1;
                byte[] held = backup;
                for (int sent = 0; sent < inFlight.size() && sent <= wholeCount; sent++) {
                    boolean whole = sent < wholeCount;
                    if (!whole && !breaks) {
                        break;
                    }
                    held = sendTo(primary, inFlight.get(sent), held, random, whole);
                    if (whole) {
                        assertArrayEquals(sealed.get(sent), held, name + " step " + step);
                    }
                }
                backup = held;
                int acknowledged = wholeCount;
                if (breaks) {
                    primary.connected();
                    acknowledged = random.nextInt(wholeCount + 1);
                    // It names an earlier epoch than it holds: those between come again, and are not used.
                    for (int again = acknowledged; again < wholeCount; again++) {
                        sendTo(primary, inFlight.get(again), backup, random, true);
                    }
                }
                for (int done = 0; done < wholeCount; done++) {
                    inFlight.removeFirst().close();
                    sealed.removeFirst();
                }
            }
            inFlight.forEach(StagedPages::close);
        }
    }

    private static StagedPages takeSome(byte[] guest, Random random) throws CheckpointException {
        StagedPages taken = new StagedPages(PAGE_BYTES, 1L << 24);
        for (int writes = random.nextInt(1, 8); writes > 0; writes--) {
            int page = random.nextInt(SMALL_PAGES);
            switch (random.nextInt(4)) {
                case 0 -> Arrays.fill(guest, page * PAGE_BYTES, (page + 1) * PAGE_BYTES, (byte) 0);
                case 1 -> {} // written as it was
                default -> guest[page * PAGE_BYTES + random.nextInt(PAGE_BYTES)]++;
            }
            taken.append(page, 1, MemorySegment.ofArray(guest), (long) page * PAGE_BYTES);
        }
        return taken;
    }

    /** What the backup holds after it; in part: nothing of it. */
    private static byte[] sendTo(
            OutgoingPages primary, StagedPages checkpoint, byte[] whole, Random random, boolean toItsEnd)
            throws WireException {
        byte[] next = whole.clone();
        int left = toItsEnd ? Integer.MAX_VALUE : random.nextInt(3);
        primary.start(checkpoint, random.nextInt(8) > 0);
        PageRuns runs = new PageRuns(SMALL_PAGES, PAGE_BYTES);
        CodedPages coded = new CodedPages(SMALL_PAGES, PAGE_BYTES);
        for (; left > 0; left--) {
            Frame frame = Frame.next(primary);
            if (frame == null) {
                return toItsEnd ? next : whole;
            }
            switch (frame.type) {
                case PAGES -> {
                    runs.decode(ByteBuffer.wrap(frame.payload), MemorySegment.ofArray(frame.payload));
                    for (int run = 0; run < runs.runCount(); run++) {
                        System.arraycopy(
                                frame.payload,
                                (int) runs.dataOffset(run),
                                next,
                                (int) runs.firstPage(run) * PAGE_BYTES,
                                runs.pageCount(run) * PAGE_BYTES);
                    }
                }
                case ZERO_PAGES -> {
                    runs.decodeZero(ByteBuffer.wrap(frame.payload));
                    for (int run = 0; run < runs.runCount(); run++) {
                        int from = (int) runs.firstPage(run) * PAGE_BYTES;
                        Arrays.fill(next, from, from + runs.pageCount(run) * PAGE_BYTES, (byte) 0);
                    }
                }
                default -> {
                    assertEquals(FrameType.CODED_PAGES, frame.type);
                    coded.decode(ByteBuffer.wrap(frame.payload));
                    for (int index = 0; index < coded.count(); index++) {
                        int at = (int) coded.page(index) * PAGE_BYTES;
                        if (coded.hasBase(index)) {
                            System.arraycopy(whole, at, next, at, PAGE_BYTES);
                        } else {
                            Arrays.fill(next, at, at + PAGE_BYTES, (byte) 0);
                        }
                        coded.apply(index, MemorySegment.ofArray(next), at);
                    }
                }
            }
        }
        return whole;
    }

    @Test
    void aPageThatIsAsItWasSentLastIsNotSentAgain() throws Exception {
        take(10, 4, 'a');
        outgoing.start(staged, true);
        assertEquals("CODED_PAGES", types());
        assertEquals(4, outgoing.sentPageCount());
        outgoing.start(staged, true);
        assertEquals("", types());
        assertEquals(0, outgoing.sentPageCount());
        assertEquals(4, outgoing.pageCount());
        outgoing.connected();
        outgoing.start(staged, true);
        assertEquals("CODED_PAGES", types());
        outgoing.start(staged, false);
        assertEquals("PAGES", types());
        outgoing.start(staged, true);
        assertEquals("CODED_PAGES", types(), "what was sent while nothing was coded is no base");
    }

    @Test
    void whatDoesNotGetShorterIsSentAsItIsAndABaseAllTheSame() throws Exception {
        byte[] noise = new byte[4 * PAGE_BYTES];
        new Random(1).nextBytes(noise);
        staged.append(20, 4, MemorySegment.ofArray(noise), 0);
        outgoing.start(staged, true);
        assertEquals("PAGES", types());
        outgoing.start(staged, true);
        assertEquals("", types());
    }

    private String types() {
        StringBuilder types = new StringBuilder();
        for (Frame frame = Frame.next(outgoing); frame != null; frame = Frame.next(outgoing)) {
            types.append(types.isEmpty() ? "" : " ").append(frame.type);
        }
        return types.toString();
    }

    private static final class Frame {
        final FrameType type;
        final byte[] payload;

        private Frame(FrameType type, byte[] payload) {
            this.type = type;
            this.payload = payload;
        }

        static @Nullable Frame next(OutgoingPages from) {
            ByteBuffer head = ByteBuffer.allocate(64 << 10);
            ByteArrayOutputStream behind = new ByteArrayOutputStream();
            FrameType type = from.next(
                    head,
                    (memory, offset, length) ->
                            behind.writeBytes(memory.asSlice(offset, length).toArray(JAVA_BYTE)));
            if (type == null) {
                return null;
            }
            byte[] payload = Arrays.copyOf(head.array(), head.position() + behind.size());
            System.arraycopy(behind.toByteArray(), 0, payload, head.position(), behind.size());
            return new Frame(type, payload);
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
        outgoing.start(staged, false);
        PageRuns runs = new PageRuns(GUEST_PAGES, PAGE_BYTES);
        while (true) {
            Frame frame = Frame.next(outgoing);
            if (frame == null) {
                return;
            }
            FrameType type = frame.type;
            byte[] payload = frame.payload;
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
