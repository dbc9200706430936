package remus.zookeeper;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import remus.availability.Arbiter;
import remus.availability.Arbiter.ReadOutcome;
import remus.availability.Arbiter.SetOutcome;
import remus.availability.ArbiterContract;
import remus.availability.HostId;
import remus.availability.OwnershipRecord;

/** A host that asks for term after term until it is told to stop. */
final class Contender {
    /** Requests whose outcome was unknown, each with an id of its own. */
    final AtomicInteger unknown = new AtomicInteger();

    final AtomicInteger refused = new AtomicInteger();
    private final Semaphore grants;
    private final Arbiter arbiter;
    private final HostId self;
    private final CompletableFuture<List<OwnershipRecord>> won = new CompletableFuture<>();
    private volatile boolean over;

    /** @param grants gets a permit for each term that is granted */
    Contender(Arbiter arbiter, HostId self, Semaphore grants) {
        this.grants = grants;
        this.arbiter = arbiter;
        this.self = self;
    }

    void begin() {
        Thread.ofPlatform().daemon().name("contender-" + self).start(() -> {
            try {
                won.complete(contend());
            } catch (Exception | AssertionError e) {
                won.completeExceptionally(e);
            }
        });
    }

    private List<OwnershipRecord> contend() throws Exception {
        List<OwnershipRecord> mine = new ArrayList<>();
        OwnershipRecord seen = null;
        for (int number = 1; !over; number++) {
            long term = seen == null ? 1 : seen.term().value() + 1;
            OwnershipRecord next = ArbiterContract.alone(term, self, self + "." + number);
            switch (ArbiterContract.set(arbiter, seen, next)) {
                case SetOutcome.Done() -> {
                    mine.add(next);
                    grants.release();
                    seen = next;
                }
                case SetOutcome.Refused(OwnershipRecord current) -> {
                    refused.incrementAndGet();
                    seen = current;
                }
                case SetOutcome.Unknown _ -> {
                    unknown.incrementAndGet();
                    seen = readOr(seen);
                }
            }
        }
        return mine;
    }

    private @Nullable OwnershipRecord readOr(@Nullable OwnershipRecord before) throws Exception {
        return ArbiterContract.read(arbiter, ArbiterContract.VM) instanceof ReadOutcome.Found(OwnershipRecord found)
                ? found
                : before;
    }

    /** The records that it was granted. */
    List<OwnershipRecord> end() throws Exception {
        over = true;
        return won.get(ArbiterWatch.WAIT_SECONDS, TimeUnit.SECONDS);
    }
}
