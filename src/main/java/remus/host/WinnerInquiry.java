package remus.host;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import remus.base.HostAddress;
import remus.replication.PeerAnswer;
import remus.replication.PeerQuery;

/**
 * Asks the host that takes a VM over, again and again, whether the VM runs there, while this host keeps its own paused. On
 * a thread of its own; answers may still come for a moment after it has stopped.
 */
final class WinnerInquiry {
    private static final Duration PAUSE = Duration.ofMillis(200);
    private static final Duration ANSWER_LIMIT = Duration.ofSeconds(1);

    private WinnerInquiry() {}

    /**
     * @param wanted asked before each question
     * @param answered called on this inquiry's thread
     */
    static void begin(
            PeerQuery peers, HostAddress winner, String vm, BooleanSupplier wanted, Consumer<PeerAnswer> answered) {
        Thread.ofVirtual().name("ask-winner").start(() -> {
            try {
                while (wanted.getAsBoolean()) {
                    answered.accept(peers.ask(winner, vm, ANSWER_LIMIT));
                    TimeUnit.NANOSECONDS.sleep(PAUSE.toNanos());
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
    }
}
