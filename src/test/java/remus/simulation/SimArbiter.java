package remus.simulation;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import remus.availability.Arbiter;
import remus.availability.Arbiter.ReadOutcome;
import remus.availability.Arbiter.SetOutcome;
import remus.availability.OwnershipRecord;
import remus.availability.OwnershipRecord.Phase;
import remus.base.Term;
import remus.simulation.Network.Node;

/**
 * The arbiter on a node of its own, with one record. Requests and replies may be lost; a set whose reply is lost has an
 * unknown outcome, and one that is lost on its way there may arrive much later all the same.
 */
final class SimArbiter {
    private static final long LIMIT_NANOS = 250 * Scheduler.MILLISECOND;

    private final Scheduler scheduler;
    private final Network network;
    private final Set<Long> granted = new HashSet<>();
    private final Set<Long> protectedTerms = new HashSet<>();
    private final List<Runnable> late = new ArrayList<>();
    private @Nullable OwnershipRecord record;
    private boolean down;
    private int takeovers;
    private double troubles;

    SimArbiter(Scheduler scheduler, Network network) {
        this.scheduler = scheduler;
        this.network = network;
    }

    @Nullable
    OwnershipRecord record() {
        return record;
    }

    int takeovers() {
        return takeovers;
    }

    /** Whether the record ever named a backup for the session of that term. */
    boolean hasProtected(Term session) {
        return protectedTerms.contains(session.value());
    }

    void setDown(boolean isDown) {
        down = isDown;
        scheduler.note("arbiter", isDown ? "is down" : "is up");
    }

    /** Part of the requests or replies that get lost. */
    void setTroubles(double probability) {
        troubles = probability;
    }

    /** Whatever is still on its way arrives now. */
    void landLate() {
        List<Runnable> landing = List.copyOf(late);
        late.clear();
        landing.forEach(Runnable::run);
    }

    /** As a host's daemon sees it. */
    Arbiter seenFrom(Daemon daemon) {
        return new Port(daemon);
    }

    private SetOutcome apply(Daemon by, @Nullable OwnershipRecord expected, OwnershipRecord next) {
        if (!Objects.equals(expected, record)) {
            return new SetOutcome.Refused(record);
        }
        Term due = expected == null ? Term.NONE.next() : expected.term().next();
        Violation.unless(next.term().equals(due), Rule.TERM, "%s is set after %s", next, expected);
        Violation.unless(granted.add(next.term().value()), Rule.TERM, "term %s is granted again", next.term());
        record = next;
        if (next.phase() == Phase.ACTIVATING) {
            takeovers++;
        }
        if (next.phase() == Phase.PROTECTED) {
            protectedTerms.add(next.term().value());
        }
        scheduler.note("arbiter", "%s (asked by %s)", next, by);
        return new SetOutcome.Done();
    }

    private final class Port implements Arbiter {
        private final Daemon daemon;

        Port(Daemon daemon) {
            this.daemon = daemon;
        }

        private boolean isLost() {
            return down || scheduler.chance(troubles);
        }

        private boolean isCut(boolean thither) {
            Node node = daemon.machine().node();
            return thither ? network.isCut(node, Node.ARBITER) : network.isCut(Node.ARBITER, node);
        }

        @Override
        public void read(String vm, Consumer<? super ReadOutcome> answer) {
            scheduler.after(network.delayNanos(), () -> {
                if (isLost() || isCut(true)) {
                    unavailable(answer);
                    return;
                }
                OwnershipRecord current = record;
                ReadOutcome outcome = current == null ? new ReadOutcome.Absent() : new ReadOutcome.Found(current);
                scheduler.after(network.delayNanos(), () -> {
                    if (isLost() || isCut(false)) {
                        unavailable(answer);
                    } else {
                        answer.accept(outcome);
                    }
                });
            });
        }

        private void unavailable(Consumer<? super ReadOutcome> answer) {
            scheduler.after(LIMIT_NANOS, () -> answer.accept(new ReadOutcome.Unavailable("no answer")));
        }

        @Override
        public void set(
                String vm,
                @Nullable OwnershipRecord expected,
                OwnershipRecord next,
                Consumer<? super SetOutcome> answer) {
            scheduler.after(network.delayNanos(), () -> {
                daemon.world().moment();
                if (isLost() || isCut(true)) {
                    maybeLandLater(expected, next);
                    unknown(next, answer);
                    return;
                }
                SetOutcome outcome = apply(daemon, expected, next);
                scheduler.after(network.delayNanos(), () -> {
                    if (isLost() || isCut(false)) {
                        unknown(next, answer);
                    } else {
                        answer.accept(outcome);
                    }
                });
            });
        }

        private void maybeLandLater(@Nullable OwnershipRecord expected, OwnershipRecord next) {
            if (scheduler.chance(0.8)) {
                Runnable landing = () -> apply(daemon, expected, next);
                late.add(landing);
                scheduler.after(scheduler.span(0, 2 * Scheduler.SECOND), () -> {
                    if (!down && late.remove(landing)) {
                        landing.run();
                    }
                });
            }
        }

        private void unknown(OwnershipRecord next, Consumer<? super SetOutcome> answer) {
            scheduler.note("arbiter", "%s does not learn what became of: %s", daemon, next);
            scheduler.after(LIMIT_NANOS, () -> answer.accept(new SetOutcome.Unknown("no answer")));
        }

        @Override
        public void close() {}
    }
}
