package remus.simulation;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.Term;

/**
 * The guest as its epoch was sealed: what a whole checkpoint has to equal.
 *
 * @param firstInput number of the first inbound frame that this state has not read
 * @param lastFrame the last frame that this state has sent
 */
@SuppressWarnings("ArrayRecordComponent") // Nobody changes them or compares two seals.
record Seal(byte[] memory, byte[][] disks, byte[] deviceState, long firstInput, long lastFrame) {
    static Seal of(Guest guest, byte[] deviceState, long firstInput) {
        return new Seal(
                guest.memory().clone(),
                Arrays.stream(guest.disks()).map(byte[]::clone).toArray(byte[][]::new),
                deviceState,
                firstInput,
                guest.lastFrame());
    }

    /** All seals of a world, and what the backups truly had whole. */
    static final class Book {
        private static final int KEPT = 40;

        private final Map<Long, Map<Long, Seal>> sessions = new HashMap<>();
        private final Map<Long, Long> whole = new HashMap<>();

        void add(Term session, EpochId epoch, Seal seal) {
            Map<Long, Seal> seals = sessions.computeIfAbsent(session.value(), term -> new HashMap<>());
            seals.put(epoch.value(), seal);
            seals.remove(epoch.value() - KEPT);
        }

        @Nullable
        Seal find(Term session, EpochId epoch) {
            Map<Long, Seal> seals = sessions.get(session.value());
            return seals == null ? null : seals.get(epoch.value());
        }

        /** The backup of {@code session} has {@code epoch} as it was sealed. */
        void noteWhole(Term session, EpochId epoch) {
            whole.merge(session.value(), epoch.value(), Math::max);
        }

        boolean wasWhole(Term session, EpochId epoch) {
            return whole.getOrDefault(session.value(), 0L) >= epoch.value();
        }
    }
}
