package remus.zookeeper;

import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import remus.availability.ArbiterChoice;
import remus.base.HostAddress;
import remus.base.Time;

/** An arbiter's client whose status can be waited for. Closes the client. */
final class ArbiterWatch implements AutoCloseable {
    static final long WAIT_SECONDS = 60;

    private static final Time TIME = new Time() {
        @Override
        public long nanos() {
            return System.nanoTime();
        }

        @Override
        public long wallMillis() {
            return System.currentTimeMillis();
        }
    };

    private final ZooKeeperArbiter arbiter;

    private ArbiterWatch(List<HostAddress> servers, String root, @Nullable String credential) {
        arbiter = ZooKeeperArbiter.start(
                new ArbiterChoice.Ensemble(servers, root),
                credential == null ? null : new ZooKeeperCredential(credential),
                TIME,
                _ -> changed());
    }

    static ArbiterWatch start(List<HostAddress> servers, @Nullable String credential) {
        return start(servers, ArbiterChoice.DEFAULT_ROOT, credential);
    }

    static ArbiterWatch start(List<HostAddress> servers, String root, @Nullable String credential) {
        return new ArbiterWatch(servers, root, credential);
    }

    ZooKeeperArbiter arbiter() {
        return arbiter;
    }

    private synchronized void changed() {
        notifyAll();
    }

    /** The status as soon as it is in that state. */
    synchronized ArbiterStatus await(ArbiterStatus.State state) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_SECONDS);
        while (arbiter.status().state() != state) {
            long leftMillis = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
            if (leftMillis <= 0) {
                throw new AssertionError("still " + arbiter.status() + " instead of " + state);
            }
            wait(leftMillis);
        }
        return arbiter.status();
    }

    @Override
    public void close() {
        arbiter.close();
    }
}
