package remus.simulation;

/**
 * What lies between the nodes: a link in each direction between each two of them, with a delay, that may be cut by itself.
 * Datagrams that find it cut are lost; connections keep what they have and try again.
 */
final class Network {
    /** Who can be at the end of a link. */
    enum Node {
        ALPHA(0),
        BETA(1),
        ARBITER(2),
        CLIENT(3);

        private final int number;

        Node(int number) {
            this.number = number;
        }
    }

    private final Scheduler scheduler;
    private final int[][] cuts = new int[Node.values().length][Node.values().length];
    private double loss;

    Network(Scheduler scheduler) {
        this.scheduler = scheduler;
    }

    boolean isCut(Node from, Node to) {
        return cuts[from.number][to.number] > 0;
    }

    /** Cuts may overlap; each ends by itself. */
    void cut(Node from, Node to, long nanos) {
        cuts[from.number][to.number]++;
        scheduler.note("network", "%s -> %s is cut for %d ms", from, to, nanos / Scheduler.MILLISECOND);
        scheduler.after(nanos, () -> {
            cuts[from.number][to.number]--;
            scheduler.note("network", "%s -> %s is whole again", from, to);
        });
    }

    /** Part of the datagrams that get lost on the way. */
    void setLoss(double probability) {
        loss = probability;
    }

    long delayNanos() {
        return scheduler.chance(0.02)
                ? scheduler.span(Scheduler.MILLISECOND, 15 * Scheduler.MILLISECOND)
                : scheduler.span(50 * Scheduler.MICROSECOND, 300 * Scheduler.MICROSECOND);
    }

    /** Sends something that may be lost. */
    void datagram(Node from, Node to, Runnable arrival) {
        if (isCut(from, to) || scheduler.chance(loss)) {
            return;
        }
        scheduler.after(delayNanos(), () -> {
            if (!isCut(from, to)) {
                arrival.run();
            }
        });
    }
}
