package remus.simulation;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.PriorityQueue;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import remus.base.Time;

/**
 * The only source of time and chance: a queue of what is to happen, in the order of simulated time and then of its
 * scheduling. The same seed gives the same run. Keeps the last lines of a trace, which are put into words only when
 * somebody wants to read them.
 */
final class Scheduler implements Time {
    static final long MICROSECOND = 1_000;
    static final long MILLISECOND = 1_000_000;
    static final long SECOND = 1_000_000_000;

    private static final int TRACE_LINES = 150;

    private record Event(long atNanos, long number, Runnable work) {}

    @SuppressWarnings("ArrayRecordComponent") // Written once, read once.
    private record Line(
            long atNanos,
            String who,
            String format,
            @Nullable Object[] values) {}

    private final Random random;
    private final PriorityQueue<Event> events =
            new PriorityQueue<>(Comparator.comparingLong(Event::atNanos).thenComparingLong(Event::number));
    private final Deque<Line> trace = new ArrayDeque<>();
    private long nowNanos = SECOND;
    private long number;
    private long steps;

    Scheduler(long seed) {
        random = new Random(seed);
    }

    @Override
    public long nanos() {
        return nowNanos;
    }

    @Override
    public long wallMillis() {
        return nowNanos / MILLISECOND;
    }

    void after(long delayNanos, Runnable work) {
        events.add(new Event(nowNanos + Math.max(0, delayNanos), number++, work));
    }

    /** The next thing happens; false when it would be after {@code untilNanos}. */
    boolean step(long untilNanos) {
        Event next = events.peek();
        if (next == null || next.atNanos() > untilNanos) {
            nowNanos = Math.max(nowNanos, untilNanos);
            return false;
        }
        events.remove();
        nowNanos = next.atNanos();
        steps++;
        next.work().run();
        return true;
    }

    long steps() {
        return steps;
    }

    // ---- chance

    boolean chance(double probability) {
        return random.nextDouble() < probability;
    }

    /** A whole number from {@code least} to {@code most}. */
    int between(int least, int most) {
        return least + random.nextInt(most - least + 1);
    }

    /** A time from {@code least} to {@code most}. */
    long span(long least, long most) {
        return least + (long) (random.nextDouble() * (most - least));
    }

    <T> T oneOf(List<? extends T> choices) {
        return choices.get(random.nextInt(choices.size()));
    }

    // ---- the trace

    /** Values must not change any more. */
    void note(String who, String format, @Nullable Object... values) {
        if (trace.size() == TRACE_LINES) {
            trace.remove();
        }
        trace.add(new Line(nowNanos, who, format, values));
    }

    /** The last things that happened, oldest first, in simulated milliseconds. */
    List<String> trace() {
        List<String> lines = new ArrayList<>();
        for (Line line : trace) {
            lines.add("%10.3f ms  %-9s %s"
                    .formatted(
                            (line.atNanos() - SECOND) / 1e6,
                            line.who(),
                            line.format().formatted(Arrays.copyOf(line.values(), line.values().length))));
        }
        return lines;
    }
}
