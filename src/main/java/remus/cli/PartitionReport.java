package remus.cli;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The outcome of {@code demo --scenario partition}; its components are the keys of its JSON document.
 *
 * @param acknowledged writes that the client had an answer for
 * @param lost of these, writes that the server did not know any more
 * @param resets connections that broke
 * @param problem the first thing that was wrong, or null
 */
record PartitionReport(
        String scenario,
        long rounds,
        long acknowledged,
        long lost,
        long resets,
        @Nullable String problem,
        List<Round> cuts) {
    /**
     * One partition.
     *
     * @param former who ran the VM before
     * @param owner who runs it after
     * @param term in which
     * @param stallMillis the client's longest wait
     * @param formerFrames the VM's frames from {@code former} that the switch got
     * @param otherFrames those from the other host
     * @param lateFrames those from {@code former} after the other one's first: that would be two owners
     */
    record Round(
            String cut,
            String former,
            String owner,
            long term,
            long stallMillis,
            long formerFrames,
            long otherFrames,
            long lateFrames) {
        boolean hadOneOwner() {
            return lateFrames == 0 && (otherFrames == 0 || !owner.equals(former));
        }
    }

    /** One owner at any time, and nothing lost. */
    boolean passed() {
        return lost == 0 && resets == 0 && problem == null && cuts.stream().allMatch(Round::hadOneOwner);
    }
}
