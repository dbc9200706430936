package remus.bench;

import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import remus.base.ByteSize;

/**
 * What the small guest does while something is measured: nothing ({@code idle}), or writing one byte in each of so many
 * pages in every {@link #PERIOD} ({@code dirty-500}).
 *
 * @param pages how many; 0 for an idle guest
 */
public record GuestLoad(int pages) {
    /** How often each of the pages is written, by the guest's clock. */
    public static final Duration PERIOD = Duration.ofMillis(25);

    /** A guest of a few thousand pages more than these would need more memory than the smallest one has. */
    public static final int MAX_PAGES = 1 << 20;

    private static final Pattern NAME = Pattern.compile("idle|dirty-([1-9][0-9]{0,6})");

    /** What the guest's kernel, initramfs and programs need besides the pages that are written. */
    private static final ByteSize GUEST_ITSELF = ByteSize.ofMebibytes(160);

    private static final int PAGE_BYTES = 4096;

    public GuestLoad {
        if (pages < 0 || pages > MAX_PAGES) {
            throw new IllegalArgumentException("pages=" + pages + " is not a number from 0 to " + MAX_PAGES);
        }
    }

    /** @throws IllegalArgumentException naming the text and what is understood */
    public static GuestLoad parse(String text) {
        Matcher name = NAME.matcher(text);
        if (!name.matches()) {
            throw new IllegalArgumentException(
                    "'" + text + "' is no workload: use idle or dirty-N, such as dirty-500 for 500 pages every "
                            + PERIOD.toMillis() + " ms");
        }
        String pages = name.group(1);
        return new GuestLoad(pages == null ? 0 : Integer.parseInt(pages));
    }

    /** The keys of the guest's command line that ask for it. */
    String keys() {
        return "remus.run=" + words();
    }

    /** The same, and an echo service on TCP port 7 beside it. */
    public String keysWithEcho() {
        return "remus.run=echo," + words();
    }

    private String words() {
        return pages == 0 ? "idle" : "dirty remus.pages=%d remus.per=%dms".formatted(pages, PERIOD.toMillis());
    }

    /** @throws IllegalArgumentException where a guest of so much memory is too small for it */
    void requireRoom(ByteSize memory) {
        long needed = GUEST_ITSELF.bytes() + (long) pages * PAGE_BYTES;
        if (memory.bytes() < needed) {
            throw new IllegalArgumentException("a guest of " + memory + " can't write " + pages
                    + " pages: give it at least " + new ByteSize(needed));
        }
    }

    /** Its name, as {@link #parse} takes it. */
    @Override
    public String toString() {
        return pages == 0 ? "idle" : "dirty-" + pages;
    }
}
