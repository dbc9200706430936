package remus.wire;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What {@link PageCoder} makes is what {@link CodedPages} reads, and nothing else that comes does harm. */
class PageCodingTest {
    private static final long SEED = 20080416;
    private static final int GUEST_PAGES = 10_000;

    @ParameterizedTest
    @ValueSource(ints = {4096, 16384, 65536})
    void pagesComeBackAsTheyWereWhateverTheyWereBefore(int pageBytes) throws WireException {
        Random random = new Random(SEED);
        PageCoder coder = new PageCoder(pageBytes);
        CodedPages coded = new CodedPages(GUEST_PAGES, pageBytes);
        for (int turn = 0; turn < 60; turn++) {
            coder.begin();
            List<byte[]> bases = new ArrayList<>();
            List<byte[]> pages = new ArrayList<>();
            for (int i = random.nextInt(1, WireLimits.MAX_BULK_BYTES / pageBytes + 1); i > 0; i--) {
                byte[] base = content(random, pageBytes);
                byte[] page = random.nextBoolean() ? base.clone() : content(random, pageBytes);
                for (int changes = random.nextInt(1, 6); changes > 0; changes--) {
                    page[random.nextInt(pageBytes)]++;
                }
                boolean hasBase = random.nextInt(3) > 0;
                if (hasBase ? !Arrays.equals(base, page) : !isZero(page)) {
                    MemorySegment known = hasBase ? MemorySegment.ofArray(base) : null;
                    assertTrue(coder.add(number(pages.size()), MemorySegment.ofArray(page), 0, known, 0));
                    pages.add(page);
                    bases.add(hasBase ? base : new byte[pageBytes]);
                }
            }
            if (pages.isEmpty()) {
                continue;
            }
            byte[] payload = payload(coder);
            coded.decode(ByteBuffer.wrap(payload));
            assertEquals(pages.size(), coded.count());
            for (int i = 0; i < pages.size(); i++) {
                assertEquals(number(i), coded.page(i));
                MemorySegment target = MemorySegment.ofArray(bases.get(i));
                coded.apply(i, target, 0);
                assertArrayEquals(pages.get(i), target.toArray(JAVA_BYTE), "seed " + SEED + " turn " + turn);
            }
        }
    }

    @Test
    void aPageThatIsAsItWasIsNotAdded() {
        PageCoder coder = new PageCoder(4096);
        coder.begin();
        MemorySegment page = MemorySegment.ofArray(content(new Random(SEED), 4096));
        assertFalse(coder.add(7, page, 0, page, 0));
        assertEquals(0, coder.count());
    }

    @Test
    void aChangedByteCostsABlockAndNotAPage() {
        PageCoder coder = new PageCoder(4096);
        coder.begin();
        Random random = new Random(SEED);
        for (int page = 0; page < 256; page++) {
            byte[] before = new byte[4096];
            random.nextBytes(before);
            byte[] after = before.clone();
            after[random.nextInt(4096)]++;
            coder.add(page * 3L, MemorySegment.ofArray(after), 0, MemorySegment.ofArray(before), 0);
        }
        int bytes = coder.finish();
        assertTrue(bytes < 256 * 4096 / 60, bytes + " bytes");
    }

    /** Lengths, masks, packing and packed bytes of who means harm: refused, and nothing is read or written out of bounds. */
    @Test
    void noInputIsAnsweredWithAnythingButAWireException() throws WireException {
        Random random = new Random(SEED);
        PageCoder coder = new PageCoder(4096);
        CodedPages coded = new CodedPages(GUEST_PAGES, 4096);
        byte[] page = new byte[4096];
        int refused = 0;
        for (int input = 0; input < 40_000; input++) {
            if (input % 1000 == 0) {
                coder.begin();
                for (int i = 0; i < 5; i++) {
                    coder.add(number(i), MemorySegment.ofArray(content(random, 4096)), 0, null, 0);
                }
            }
            byte[] payload = payload(coder);
            for (int flips = random.nextInt(1, 5); flips > 0; flips--) {
                int at = random.nextInt(random.nextBoolean() ? Math.min(90, payload.length) : payload.length);
                payload[at] = random.nextBoolean() ? (byte) random.nextInt() : (byte) 0xff;
            }
            if (random.nextInt(4) == 0) {
                payload = Arrays.copyOf(payload, random.nextInt(payload.length + 20));
            }
            try {
                coded.decode(ByteBuffer.wrap(payload));
                for (int i = 0; i < coded.count(); i++) {
                    assertTrue(coded.page(i) >= 0 && coded.page(i) < GUEST_PAGES);
                    coded.apply(i, MemorySegment.ofArray(page), 0);
                }
            } catch (WireException e) {
                refused++;
            } catch (RuntimeException | Error e) {
                throw new AssertionError("seed=" + SEED + " input=" + input, e);
            }
        }
        assertTrue(refused > 10_000, "refused only " + refused);
    }

    @Test
    void whatIsLongerOrShorterThanAnnouncedIsRefused() {
        CodedPages coded = new CodedPages(GUEST_PAGES, 4096);
        assertRefused(coded, 1, 1, 0, 72, 71);
        assertRefused(coded, 1, 1, 0, 72, 73);
        assertRefused(coded, 1, 1, 1, 72, 0);
        assertRefused(coded, 1, 1, 2, 72, 72);
        assertRefused(coded, 1, 1, 0, 7, 7);
        assertRefused(coded, 1, 1, 0, 4096 + 9, 4096 + 9);
        assertRefused(coded, 1, 257, 0, 257 * 8, 257 * 8);
        assertRefused(coded, 1, -1, 0, 8, 8);
        assertRefused(coded, 1, 1, 0, -1, 8);
        assertRefused(coded, GUEST_PAGES, 1, 0, 8, 8);
        assertRefused(coded, -1, 1, 0, 8, 8);
    }

    private static void assertRefused(
            CodedPages coded, long firstPage, int count, int packing, int announced, int bytes) {
        ByteBuffer payload = ByteBuffer.allocate(22 + bytes)
                .putInt(1)
                .putLong(firstPage)
                .putInt(count)
                .put((byte) 1)
                .put((byte) packing)
                .putInt(announced);
        if (bytes >= 8) {
            payload.putLong(1);
        }
        assertThrows(WireException.class, () -> coded.decode(payload.rewind()));
    }

    private static long number(int index) {
        return index * 5L / 3; // some follow each other
    }

    private static byte[] payload(PageCoder coder) {
        int bytes = coder.finish();
        ByteBuffer payload = ByteBuffer.allocate(bytes);
        coder.encodeHead(payload);
        payload.put(coder.body().asByteBuffer());
        assertEquals(0, payload.remaining());
        return payload.array();
    }

    private static boolean isZero(byte[] page) {
        return Arrays.equals(page, new byte[page.length]);
    }

    private static byte[] content(Random random, int bytes) {
        byte[] content = new byte[bytes];
        switch (random.nextInt(3)) {
            case 0 -> random.nextBytes(content);
            case 1 -> Arrays.fill(content, (byte) random.nextInt());
            default -> content[random.nextInt(bytes)] = 1;
        }
        return content;
    }
}
