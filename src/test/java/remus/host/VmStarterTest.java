package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.Draining;
import remus.availability.Arbiter;
import remus.availability.OwnershipRecord;
import remus.base.Term;

/** Starts that meet the daemon's end, or worse, while the arbiter is asked. */
@Timeout(60)
class VmStarterTest {
    @TempDir
    private Path directory;

    private final HeldArbiter arbiter = new HeldArbiter();

    /** Starts a VM on a thread of its own. */
    private static CompletableFuture<ActiveVm> start(VmStarter starter) {
        CompletableFuture<ActiveVm> result = new CompletableFuture<>();
        Thread.ofVirtual().start(() -> {
            try {
                result.complete(starter.start(QuietHost.definition("shop"), ProtectionSettings.DEFAULTS, false));
            } catch (Throwable e) {
                result.completeExceptionally(e);
            }
        });
        return result;
    }

    private static Throwable failure(CompletableFuture<ActiveVm> start) {
        Throwable cause = assertThrows(ExecutionException.class, () -> start.get(20, TimeUnit.SECONDS))
                .getCause();
        assertNotNull(cause);
        return cause;
    }

    @Test
    void aStartThatWaitsForTheArbiterEndsWithTheDaemonAndAsksForNothingMore() throws Exception {
        try (QuietHost host = new QuietHost(directory, arbiter)) {
            VmStarter starter = new VmStarter(host.services);
            CompletableFuture<ActiveVm> start = start(starter);
            Consumer<? super Arbiter.ReadOutcome> late = arbiter.reading();
            starter.close();
            assertEquals(
                    "VM shop is not started: the daemon is ending",
                    failure(start).getMessage());
            late.accept(new Arbiter.ReadOutcome.Absent());
            arbiter.assertIdle();
            assertEquals(List.of(), List.copyOf(host.services.registry().all()));
        }
    }

    @Test
    void aCloseEndsWhenTheAnswerThatAStartWaitsForHasCome() throws Exception {
        try (QuietHost host = new QuietHost(directory, arbiter)) {
            VmStarter starter = new VmStarter(host.services);
            CompletableFuture<ActiveVm> start = start(starter);
            arbiter.reading().accept(new Arbiter.ReadOutcome.Absent());
            HeldArbiter.Call.Set asked = arbiter.setting();
            CompletableFuture<Void> closed = CompletableFuture.runAsync(starter::close);
            asked.answer().accept(new Arbiter.SetOutcome.Refused(null));
            closed.get(20, TimeUnit.SECONDS);
            assertEquals(
                    "VM shop is not started: the daemon is ending",
                    failure(start).getMessage());
        }
    }

    @Test
    void aGrantThatComesAsTheDaemonEndsStartsNothingAndIsTold() throws Exception {
        try (QuietHost host = new QuietHost(directory, arbiter)) {
            OwnershipClaim claim = new OwnershipClaim("shop", host.time);
            try (VmArbiter asking = new VmArbiter(host.services, "shop", claim::answer, Term.NONE)) {
                CompletableFuture<OperationException> refused = new CompletableFuture<>();
                Thread.ofVirtual()
                        .start(() -> refused.complete(assertThrows(
                                OperationException.class,
                                () -> claim.await(
                                        asking, host.services.pauses(), host.services.newRequests(), false))));
                arbiter.reading().accept(new Arbiter.ReadOutcome.Absent());
                HeldArbiter.Call.Set asked = arbiter.setting();
                claim.end();
                asked.answer().accept(new Arbiter.SetOutcome.Done());
                String told = String.valueOf(refused.get(20, TimeUnit.SECONDS).getMessage());
                assertTrue(told.matches(".*the daemon is ending.*--force-stale.*"), told);
                assertEquals(1, host.services.state().ownership("shop").term(), "what was granted is noted");
            }
        }
    }

    @Test
    void aHostIsNotSaidToBeEmptyWhileAVmIsStartingThatWasLetIn() throws Exception {
        try (QuietHost host = new QuietHost(directory, arbiter)) {
            HostDrain drain = host.services.drain();
            drain.serve(new NoVms(), Runnable::run);
            VmStarter starter = new VmStarter(host.services);
            CompletableFuture<ActiveVm> start = start(starter);
            Consumer<? super Arbiter.ReadOutcome> late = arbiter.reading();
            drain.begin();
            drain.look(host.time.nanos());
            Draining waiting = drain.status();
            assertNotNull(waiting);
            assertFalse(waiting.done(), waiting.toString());
            starter.close();
            failure(start);
            late.accept(new Arbiter.ReadOutcome.Absent());
            drain.look(host.time.nanos());
            assertEquals(new Draining(true, List.of()), drain.status());
            assertTrue(String.valueOf(failure(start(starter)).getMessage()).contains("is being drained"));
        }
    }

    @Test
    void aCloseOutlastsAllThatAStartMayTake() throws Exception {
        try (QuietHost host = new QuietHost(directory, arbiter)) {
            assertTrue(new VmStarter(host.services)
                            .closeLimit()
                            .compareTo(OwnershipClaim.LIMIT.plus(QuietHost.QEMU_LIMITS.start()))
                    > 0);
        }
    }

    @Test
    void nothingIsStartedAfterTheClose() throws Exception {
        try (QuietHost host = new QuietHost(directory, arbiter)) {
            VmStarter starter = new VmStarter(host.services);
            starter.close();
            assertEquals("the daemon is ending", failure(start(starter)).getMessage());
            arbiter.assertIdle();
        }
    }

    @Test
    void aStartThatGetsNoThreadIsNotWaitedFor() throws Exception {
        OutOfMemoryError none = new OutOfMemoryError("unable to create native thread");
        try (QuietHost host = new QuietHost(directory, arbiter)) {
            VmStarter starter = new VmStarter(host.services, task -> new Thread(task) {
                @Override
                public void start() {
                    throw none;
                }
            });
            assertSame(none, failure(start(starter)));
            assertTimeoutPreemptively(starter.closeLimit().dividedBy(2), starter::close);
            arbiter.assertIdle();
        }
    }

    @Test
    void anErrorEndsTheStartAndNobodyWaitsForIt() throws Exception {
        AssertionError broken = new AssertionError("a contradiction");
        Arbiter contradicting = new Arbiter() {
            @Override
            public void read(String vm, Consumer<? super ReadOutcome> answer) {
                throw broken;
            }

            @Override
            public void set(
                    String vm,
                    @Nullable OwnershipRecord expected,
                    OwnershipRecord next,
                    Consumer<? super SetOutcome> answer) {}

            @Override
            public void close() {}
        };
        try (QuietHost host = new QuietHost(directory, contradicting)) {
            VmStarter starter = new VmStarter(host.services);
            assertSame(broken, failure(start(starter)).getCause());
            starter.close();
        }
    }
}
