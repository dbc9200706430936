package remus.zookeeper;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * An ensemble and the hosts' ways to it, all decided by one seed: requests and answers take their time, get lost, or arrive
 * long after the connection was reported broken; plain reads come from servers that are behind.
 */
final class SimulatedNodes {
    /** What may be wrong with the way to the ensemble: for the test of the test. */
    enum Sabotage {
        NONE,
        /** What was read is taken for current. */
        CONFIRMS_ANYTHING,
        /** A set that was lost from sight is taken for one that failed. */
        FORGETS_BROKEN_SETS
    }

    /** One version of the record's node, current from then on. */
    record Version(String text, long sinceMillis) {}

    private record Event(long millis, long order, Runnable task) {}

    final Random random;
    final List<Version> history = new ArrayList<>();
    private final Sabotage sabotage;
    private final String path;
    private final Set<String> parents = new HashSet<>();
    private final PriorityQueue<Event> events = new PriorityQueue<>((a, b) ->
            a.millis() != b.millis() ? Long.compare(a.millis(), b.millis()) : Long.compare(a.order(), b.order()));
    private long nowMillis;

    SimulatedNodes(long seed, String path, Sabotage sabotage) {
        random = new Random(seed);
        this.path = path;
        this.sabotage = sabotage;
    }

    long nowMillis() {
        return nowMillis;
    }

    void after(long millis, Runnable task) {
        events.add(new Event(nowMillis + millis, random.nextInt(), task));
    }

    /** Runs until nothing is to come, late arrivals included. */
    void run() {
        for (Event event = events.poll(); event != null; event = events.poll()) {
            nowMillis = event.millis();
            event.task().run();
        }
    }

    /** One host's way. */
    VersionedNodes host() {
        return new VersionedNodes() {
            @Override
            public void get(String node, Consumer<? super Answer> answer) {
                request(answer, () -> {
                    int shown = history.size() - (random.nextInt(3) == 0 ? random.nextInt(4) : 0);
                    return shown <= 0
                            ? new Answer.Absent()
                            : new Answer.Node(history.get(shown - 1).text(), shown - 1);
                });
            }

            @Override
            public void confirm(String node, int version, Consumer<? super Answer> answer) {
                request(answer, () -> confirmed(version));
            }

            @Override
            public void create(String node, String text, Consumer<? super Answer> answer) {
                request(answer, () -> created(node, text));
            }

            @Override
            public void set(String node, String text, int version, Consumer<? super Answer> answer) {
                Consumer<Answer> told = sabotage == Sabotage.FORGETS_BROKEN_SETS
                        ? what -> answer.accept(what instanceof Answer.Broken ? new Answer.Different() : what)
                        : answer::accept;
                request(told, () -> replaced(text, version));
            }
        };
    }

    private VersionedNodes.Answer confirmed(int version) {
        if (sabotage == Sabotage.CONFIRMS_ANYTHING) {
            return version == VersionedNodes.ANY_VERSION
                    ? new VersionedNodes.Answer.Absent()
                    : new VersionedNodes.Answer.Ok();
        }
        if (history.isEmpty()) {
            return new VersionedNodes.Answer.Absent();
        }
        return version == VersionedNodes.ANY_VERSION || version == history.size() - 1
                ? new VersionedNodes.Answer.Ok()
                : new VersionedNodes.Answer.Different();
    }

    private VersionedNodes.Answer created(String node, String text) {
        String parent = node.substring(0, node.lastIndexOf('/'));
        if (!parent.isEmpty() && !parents.contains(parent)) {
            return new VersionedNodes.Answer.Absent();
        }
        if (!node.equals(path)) {
            return parents.add(node) ? new VersionedNodes.Answer.Ok() : new VersionedNodes.Answer.Different();
        }
        if (!history.isEmpty()) {
            return new VersionedNodes.Answer.Different();
        }
        history.add(new Version(text, nowMillis));
        return new VersionedNodes.Answer.Ok();
    }

    private VersionedNodes.Answer replaced(String text, int version) {
        if (history.isEmpty()) {
            return new VersionedNodes.Answer.Absent();
        }
        if (version != history.size() - 1) {
            return new VersionedNodes.Answer.Different();
        }
        history.add(new Version(text, nowMillis));
        return new VersionedNodes.Answer.Ok();
    }

    private void request(Consumer<? super VersionedNodes.Answer> answer, Supplier<VersionedNodes.Answer> server) {
        switch (random.nextInt(20)) {
            // Lost on the way there; on the way back, or so late that the connection is given up; without any sign.
            case 0, 1 -> after(delay(), () -> answer.accept(new VersionedNodes.Answer.Broken("lost")));
            case 2, 3, 4 -> {
                after(delay(), () -> arrive(server));
                after(delay(), () -> answer.accept(new VersionedNodes.Answer.Broken("lost")));
            }
            case 5 -> after(delay(), () -> arrive(server));
            default ->
                after(delay(), () -> {
                    VersionedNodes.Answer what = server.get();
                    after(delay(), () -> answer.accept(what));
                });
        }
    }

    /** Nobody is told. */
    private static void arrive(Supplier<VersionedNodes.Answer> server) {
        VersionedNodes.Answer _ = server.get();
    }

    private long delay() {
        return random.nextInt(25) == 0 ? random.nextInt(15_000) : random.nextInt(60);
    }
}
