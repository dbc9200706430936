package remus.jmh;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Random;

/** How pages differ from what was sent of them last. */
public enum PageContent {
    /** Not at all. */
    SAME,
    /** A few words in four places, as counters and links of lists are changed. */
    SPARSE,
    /** A third of the page is other text. */
    TEXT,
    /** Each byte, by chance. */
    RANDOM;

    static final int PAGE_BYTES = 4096;

    private static final long SEED = 20080416;

    /** Pages of text with numbers in it. */
    static MemorySegment base(Arena arena, int pages) {
        Random random = new Random(SEED);
        byte[] bytes = new byte[pages * PAGE_BYTES];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (i % 16 < 12 ? "key:00000000".charAt(i % 16) : random.nextInt('0', '9' + 1));
        }
        return arena.allocate(bytes.length, PAGE_BYTES).copyFrom(MemorySegment.ofArray(bytes));
    }

    MemorySegment changed(Arena arena, MemorySegment base) {
        Random random = new Random(SEED + 1);
        MemorySegment changed = arena.allocate(base.byteSize(), PAGE_BYTES).copyFrom(base);
        for (long page = 0; page < base.byteSize(); page += PAGE_BYTES) {
            switch (this) {
                case SAME -> {}
                case SPARSE -> {
                    for (int place = 0; place < 4; place++) {
                        set(changed, page + random.nextInt(PAGE_BYTES / 8) * 8L, 8, random);
                    }
                }
                case TEXT -> {
                    long from = page + random.nextInt(PAGE_BYTES * 2 / 3);
                    for (long at = from; at < from + PAGE_BYTES / 3; at++) {
                        changed.set(java.lang.foreign.ValueLayout.JAVA_BYTE, at, (byte) random.nextInt('a', 'h'));
                    }
                }
                case RANDOM -> set(changed, page, PAGE_BYTES, random);
            }
        }
        return changed;
    }

    private static void set(MemorySegment memory, long from, int count, Random random) {
        byte[] bytes = new byte[count];
        random.nextBytes(bytes);
        MemorySegment.copy(MemorySegment.ofArray(bytes), 0, memory, from, count);
    }
}
