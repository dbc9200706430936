package remus.host;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.base.HostAddress;
import remus.base.Term;
import remus.replication.PeerAnswer;
import remus.replication.PeerQuery;
import remus.wire.Hello;

/** A backup's questions to its primary beside their connection, each on a thread of its own; answers come on the agent. */
final class PrimaryInquiry {
    private static final Logger LOG = LoggerFactory.getLogger(PrimaryInquiry.class);
    private static final Duration QUERY_LIMIT = Duration.ofSeconds(2);

    /** Longer than a primary may take to stop its guest. */
    private static final Duration FENCE_LIMIT = Duration.ofSeconds(5);

    /** Before a question is asked again that was broken off. */
    private static final Duration AGAIN = Duration.ofMillis(10);

    private final PeerQuery peers;
    private final HostAddress primary;
    private final Hello hello;
    private final Term session;
    private final Agent agent;

    PrimaryInquiry(PeerQuery peers, HostAddress primary, Hello hello, Term session, Agent agent) {
        this.peers = peers;
        this.primary = primary;
        this.hello = hello;
        this.session = session;
        this.agent = agent;
    }

    /**
     * Finds out whether the primary's daemon is gone for certain, or what it says. A daemon that is just dying may take a
     * question and its host break the connection, and only then does its port refuse: so asks again, until the
     * detection time is over.
     */
    void ask(Consumer<PeerAnswer> answered) {
        Thread.ofVirtual().name("ask-primary").start(() -> {
            long deadline = System.nanoTime() + hello.detect().toNanos();
            PeerAnswer answer = peers.ask(primary, hello.vm(), hello.detect());
            long left = deadline - System.nanoTime() - AGAIN.toNanos();
            while (answer instanceof PeerAnswer.Unreachable && left > 0) {
                LockSupport.parkNanos(AGAIN.toNanos());
                answer = peers.ask(primary, hello.vm(), Duration.ofNanos(left));
                left = deadline - System.nanoTime() - AGAIN.toNanos();
            }
            PeerAnswer last = answer;
            agent.post(() -> answered.accept(last));
        });
    }

    /**
     * Asks the primary once while all is well: a port that can't be reached from here could not tell a dead daemon from a
     * dead host later, and somebody should know. It also has the way there warm when it counts.
     */
    void tryPort(Runnable blocked) {
        Thread.ofVirtual().name("try-primary").start(() -> {
            PeerAnswer answer = peers.ask(primary, hello.vm(), QUERY_LIMIT);
            if (!(answer instanceof PeerAnswer.Answered)) {
                agent.post(blocked);
                LOG.warn(
                        "VM {}: its primary can't be asked at {} ({}), so that its death is noticed by silence only",
                        hello.vm(),
                        primary,
                        answer);
            }
        });
    }

    /** Tells the primary that this host takes over, and waits until it has stopped its guest. */
    void fence(Consumer<PeerAnswer> answered) {
        Thread.ofVirtual().name("fence-primary").start(() -> {
            PeerAnswer answer = peers.fence(primary, hello.vm(), session.next(), FENCE_LIMIT);
            agent.post(() -> answered.accept(answer));
        });
    }
}
