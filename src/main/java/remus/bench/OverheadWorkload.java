package remus.bench;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the guest of the overhead bench does, again and again.
 *
 * @param name as {@link #parse} takes it
 * @param keys of the guest's command line that ask for it
 * @param line what the lines on its console begin with that end a unit of it
 * @param compiles whether it needs the image for benches
 */
public record OverheadWorkload(String name, String keys, String line, boolean compiles) {
    /** A wait of 100 ms by the guest's clock. */
    public static final OverheadWorkload IDLE =
            new OverheadWorkload("idle", "remus.run=counter remus.every=100ms", "counter: ", false);

    /** Compiling a source tree. */
    public static final OverheadWorkload BUILD = new OverheadWorkload("build", "remus.run=build", "build: ", true);

    /** Many more, and the guest does nothing but write them under software emulation. */
    private static final int MAX_PAGES = 10_000;

    private static final Pattern SPIN = Pattern.compile("spin-([1-9][0-9]{0,4})");

    /** Computing, while so many pages are written every 25 ms by the guest's clock. */
    public static OverheadWorkload spin(int pages) {
        if (pages < 1 || pages > MAX_PAGES) {
            throw new IllegalArgumentException("pages=" + pages + " is not a number from 1 to " + MAX_PAGES);
        }
        return new OverheadWorkload(
                "spin-" + pages,
                "remus.run=spin,dirty remus.pages=%d remus.per=%dms".formatted(pages, GuestLoad.PERIOD.toMillis()),
                "spin: ",
                false);
    }

    /** @throws IllegalArgumentException naming the text and what is understood */
    public static OverheadWorkload parse(String text) {
        Matcher spin = SPIN.matcher(text);
        if (spin.matches()) {
            return spin(Integer.parseInt(spin.group(1)));
        }
        return switch (text) {
            case "idle" -> IDLE;
            case "build" -> BUILD;
            default ->
                throw new IllegalArgumentException("'" + text
                        + "' is no workload: use idle, build or spin-N, such as spin-500 for computing while 500 pages "
                        + "are written every " + GuestLoad.PERIOD.toMillis() + " ms");
        };
    }

    @Override
    public String toString() {
        return name;
    }
}
