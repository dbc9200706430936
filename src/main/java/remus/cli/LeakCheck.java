package remus.cli;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import remus.base.RemusException;

/**
 * Whether hosts have more at the end of something than at its beginning: counts them in a state, and when they have come
 * back to that state counts again and compares. Confined to one thread.
 */
final class LeakCheck {
    /** What ends is given so long to be gone. */
    private static final Duration SETTLING = Duration.ofSeconds(15);

    private static final Duration AGAIN = Duration.ofMillis(500);

    /** Counts that a change of roles has made worthless, one after the other. */
    private static final int MAX_UNSTEADY = 10;

    /** Which host has which role in the state that is counted. */
    @FunctionalInterface
    interface Roles {
        /**
         * Waits until the hosts are in that state.
         *
         * @return the hosts in an order of roles: those at the same place are compared with each other
         */
        List<DemoHost> await() throws RemusException, InterruptedException;
    }

    private final HostCensus counter;
    private final Map<String, Census> before = new LinkedHashMap<>();
    private final List<Census> all = new ArrayList<>();
    private final List<String> leaks = new ArrayList<>();

    LeakCheck(HostCensus counter) {
        this.counter = counter;
    }

    /** Counts a state in which the hosts are for the first time. */
    void before(String state, Roles roles) throws RemusException, InterruptedException {
        Census now = steadyCount(state, roles);
        before.put(state, now);
        all.add(now);
    }

    /** Counts when they are in this state again: what was there at the first time may be there now, and nothing else. */
    void again(String state, Roles roles) throws RemusException, InterruptedException {
        Census first = before.get(state);
        if (first == null) {
            throw new IllegalArgumentException("nothing was counted in state " + state);
        }
        long deadline = System.nanoTime() + SETTLING.toNanos();
        Census now = steadyCount(state, roles);
        while (!now.leaksSince(first).isEmpty() && System.nanoTime() - deadline < 0) {
            TimeUnit.NANOSECONDS.sleep(AGAIN.toNanos());
            now = steadyCount(state, roles);
        }
        all.add(now);
        leaks.addAll(now.leaksSince(first));
    }

    /** On a busy machine a host may be taken for dead while it is counted. */
    private Census steadyCount(String state, Roles roles) throws RemusException, InterruptedException {
        for (int attempt = 0; attempt < MAX_UNSTEADY; attempt++) {
            List<DemoHost> hosts = roles.await();
            Census now = counter.count(state, hosts);
            if (roles.await().equals(hosts)) {
                return now;
            }
        }
        throw new CommandException(
                "the hosts can't be counted while VMs are taken over again and again: use a longer --detect");
    }

    /** Everything that was counted, in that order. */
    List<Census> census() {
        return List.copyOf(all);
    }

    /** A line for each thing that was there again and not before. */
    List<String> leaks() {
        return List.copyOf(leaks);
    }
}
