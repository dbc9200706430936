package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import remus.api.DrainStage;
import remus.api.DrainStep;
import remus.api.Draining;
import remus.api.VmRole;
import remus.api.VmState;
import remus.host.OperationException.Kind;

/** Which VMs leave a host that is being drained, when and how; on a clock that the test moves, with VMs that it speaks for. */
class HostDrainTest {
    private final SettableTime time = new SettableTime();
    private final Deque<Runnable> work = new ArrayDeque<>();
    private final FakeVms vms = new FakeVms();
    private final HostDrain drain = new HostDrain("alpha", time);

    HostDrainTest() {
        drain.serve(vms, work::add);
    }

    private static final class FakeVms implements HostDrain.Host {
        private final Map<String, VmState> all = new TreeMap<>();
        private final List<String> asked = new ArrayList<>();
        private boolean wanted = true;
        private @Nullable OperationException failure;
        private @Nullable Error broken;
        private HostDrain.Whereabouts whereabouts = new HostDrain.Whereabouts(true, "it is protected there");

        @Override
        public List<HostDrain.Present> present() {
            return all.entrySet().stream()
                    .map(vm -> new HostDrain.Present(
                            FakeHost.vm(vm.getKey(), vm.getValue()), wanted, List.of("beta", "gamma")))
                    .toList();
        }

        @Override
        public String switchOver(String vm) throws OperationException {
            asked.add("switch over " + vm);
            breakIfBroken();
            OperationException why = failure;
            if (why != null) {
                throw why;
            }
            all.remove(vm);
            return "runs on beta";
        }

        @Override
        public void relieve(String vm, String why) {
            asked.add("relieve " + vm + ": " + why);
        }

        @Override
        public HostDrain.Whereabouts whereabouts(String vm, String owner, List<String> backups) {
            assertEquals(List.of("beta", "gamma"), backups);
            asked.add("whereabouts of " + vm + " at " + owner);
            breakIfBroken();
            return whereabouts;
        }

        private void breakIfBroken() {
            Error why = broken;
            if (why != null) {
                throw why;
            }
        }
    }

    private void pass(Duration duration) {
        time.wallMillis.addAndGet(duration.toMillis());
        drain.look(time.nanos());
    }

    private void finish() {
        while (!work.isEmpty()) {
            work.remove().run();
            drain.look(time.nanos());
        }
    }

    private Draining status() {
        return Objects.requireNonNull(drain.status(), "the host is being drained");
    }

    private DrainStep step(String vm) {
        return status().vms().stream()
                .filter(step -> step.vm().equals(vm))
                .findFirst()
                .orElseThrow();
    }

    private void expect(String vm, DrainStage stage, String text) {
        DrainStep step = step(vm);
        assertEquals(stage, step.stage(), step.toString());
        assertTrue(step.text().contains(text), step.toString());
    }

    @Test
    void protectedVmsGoTwoAtATime() {
        for (String vm : List.of("a", "b", "c")) {
            vms.all.put(vm, VmState.PROTECTED);
        }
        drain.begin();
        assertFalse(status().done(), "nobody has looked yet");
        pass(Duration.ZERO);
        expect("a", DrainStage.MOVING, "192.0.2.7:7420");
        expect("b", DrainStage.MOVING, "192.0.2.7:7420");
        expect("c", DrainStage.WAITING, "its turn");
        work.remove().run();
        pass(Duration.ZERO);
        expect("a", DrainStage.LEFT, "runs on beta");
        expect("c", DrainStage.MOVING, "192.0.2.7:7420");
        assertFalse(status().done());
        finish();
        assertEquals(
                List.of("switch over a", "switch over b", "switch over c"),
                vms.asked.stream()
                        .filter(asked -> asked.startsWith("switch over"))
                        .toList());
        expect("a", DrainStage.GONE, "runs on beta; it is protected there");
        assertTrue(status().done());
    }

    @Test
    void anEmptyHostIsDoneAsSoonAsSomebodyHasLooked() {
        drain.begin();
        pass(Duration.ZERO);
        assertEquals(new Draining(true, List.of()), status());
    }

    @Test
    void aVmThatNobodyWantsProtectedStaysAndSaysWhatToDo() {
        vms.wanted = false;
        vms.all.put("shop", VmState.UNPROTECTED);
        drain.begin();
        pass(Duration.ZERO);
        expect(
                "shop",
                DrainStage.STAYS,
                "remus protect shop --backup ADDR:PORT moves it there, remus stop shop ends it");
        assertTrue(status().done());
        vms.wanted = true;
        vms.all.put("shop", VmState.PROTECTED);
        pass(Duration.ZERO);
        finish();
        expect("shop", DrainStage.GONE, "runs on beta");
    }

    @Test
    void aVmHasSomeTimeToFindABackup() {
        vms.all.put("shop", VmState.DEGRADED);
        drain.begin();
        pass(Duration.ZERO);
        expect("shop", DrainStage.WAITING, "is DEGRADED");
        vms.all.put("shop", VmState.SYNCHRONIZING);
        pass(HostDrain.PATIENCE.multipliedBy(4));
        expect("shop", DrainStage.WAITING, "is SYNCHRONIZING");
        vms.all.put("shop", VmState.DEGRADED);
        pass(HostDrain.PATIENCE.minusMillis(1));
        expect("shop", DrainStage.WAITING, "is DEGRADED");
        pass(Duration.ofMillis(1));
        expect("shop", DrainStage.STAYS, "names another backup");
    }

    /** Whoever it asks refuses: it looks as if it were being synchronized again and again. */
    @Test
    void aVmThatTriesInVainToFindABackupIsNotWaitedForForEver() {
        vms.all.put("shop", VmState.DEGRADED);
        drain.begin();
        pass(Duration.ZERO);
        for (Duration waited = Duration.ZERO;
                waited.compareTo(HostDrain.PATIENCE) < 0;
                waited = waited.plusSeconds(5)) {
            expect("shop", DrainStage.WAITING, "is ");
            vms.all.put("shop", VmState.SYNCHRONIZING);
            pass(Duration.ofSeconds(1));
            vms.all.put("shop", VmState.DEGRADED);
            pass(Duration.ofSeconds(5));
        }
        expect("shop", DrainStage.STAYS, "is DEGRADED");
        assertTrue(status().done());
    }

    @Test
    void aVmThatIsFencedHereAndStaysSoIsNotWaitedForForEver() {
        vms.all.put("shop", VmState.FENCED);
        drain.begin();
        pass(Duration.ZERO);
        expect("shop", DrainStage.WAITING, "is FENCED");
        pass(HostDrain.PATIENCE);
        expect("shop", DrainStage.STAYS, "see remus status shop");
        assertTrue(status().done());
    }

    @Test
    void primariesAreAskedAgainAndAgainToLetGo() {
        vms.all.put("shop", VmState.STANDBY);
        drain.begin();
        pass(Duration.ZERO);
        pass(HostDrain.ASK_AGAIN.minusMillis(1));
        assertEquals(List.of("relieve shop: host alpha is being drained"), vms.asked);
        pass(Duration.ofMillis(1));
        assertEquals(2, vms.asked.size());
        expect("shop", DrainStage.WAITING, "192.0.2.7:7420 is asked");
        pass(HostDrain.PATIENCE);
        expect("shop", DrainStage.STAYS, "does not let it go");
        vms.all.clear();
        pass(Duration.ZERO);
        expect("shop", DrainStage.LEFT, "has let it go");
        pass(Duration.ZERO);
        finish();
        expect("shop", DrainStage.GONE, "its primary 192.0.2.7:7420 has let it go; it is protected there");
        assertEquals("whereabouts of shop at 192.0.2.7:7420", vms.asked.getLast());
        assertTrue(status().done());
    }

    @Test
    void whatIsNotProtectedElsewhereInTimeIsSaidToBeSo() {
        vms.whereabouts = new HostDrain.Whereabouts(false, "it is not protected there yet");
        vms.all.put("shop", VmState.PROTECTED);
        drain.begin();
        pass(Duration.ZERO);
        work.remove().run();
        pass(Duration.ZERO);
        work.remove().run();
        expect("shop", DrainStage.LEFT, "runs on beta; it is not protected there yet");
        pass(HostDrain.SHELTER_PAUSE.minusMillis(1));
        assertTrue(work.isEmpty(), "it has just been asked");
        pass(HostDrain.SHELTER_PATIENCE);
        pass(HostDrain.SHELTER_PATIENCE);
        assertEquals(1, work.size(), "one question at a time");
        assertFalse(status().done());
        finish();
        expect("shop", DrainStage.GONE, "runs on beta; it is not protected there yet");
        assertTrue(status().done());
        pass(HostDrain.SHELTER_PATIENCE);
        assertTrue(work.isEmpty());
    }

    @Test
    void aVmThatEndedHereIsAskedOfNobody() {
        vms.all.put("shop", VmState.SYNCHRONIZING);
        drain.begin();
        pass(Duration.ZERO);
        vms.all.clear();
        pass(Duration.ZERO);
        expect("shop", DrainStage.GONE, "does not run here any more");
        assertTrue(work.isEmpty());
    }

    @Test
    void whoAsksAgainSeesWhatHasGoneAndInterruptsNothing() {
        vms.all.put("mail", VmState.PROTECTED);
        vms.all.put("shop", VmState.PROTECTED);
        drain.begin();
        pass(Duration.ZERO);
        work.remove().run();
        pass(Duration.ZERO);
        drain.begin();
        assertFalse(status().done());
        expect("mail", DrainStage.LEFT, "runs on beta");
        expect("shop", DrainStage.MOVING, "192.0.2.7:7420");
        pass(Duration.ZERO);
        finish();
        assertEquals(1, vms.asked.stream().filter("switch over shop"::equals).count());
        assertEquals(2, status().vms().size());
        assertTrue(status().done());
    }

    @Test
    void aVmThatIsTakenOverMeanwhileIsHandedOver() {
        vms.all.put("shop", VmState.STANDBY);
        drain.begin();
        pass(Duration.ZERO);
        vms.all.put("shop", VmState.PROTECTED);
        pass(Duration.ZERO);
        finish();
        expect("shop", DrainStage.GONE, "runs on beta");
    }

    @Test
    void whatCantBeHandedOverIsTriedAgainAndThenStays() {
        vms.all.put("shop", VmState.PROTECTED);
        vms.failure =
                new OperationException(Kind.FAILED, "VM shop is not switched over: taken back", "see remus status");
        drain.begin();
        for (int attempt = 1; attempt <= HostDrain.MAX_ATTEMPTS; attempt++) {
            pass(HostDrain.RETRY_PAUSE);
            finish();
            assertEquals(attempt, vms.asked.size());
            boolean last = attempt == HostDrain.MAX_ATTEMPTS;
            expect("shop", last ? DrainStage.STAYS : DrainStage.WAITING, "taken back; see remus status");
        }
        pass(HostDrain.RETRY_PAUSE);
        assertTrue(work.isEmpty());
        vms.all.put("shop", VmState.DEGRADED); // what has failed is not forgotten, or its clients would wait for ever
        pass(Duration.ZERO);
        expect("shop", DrainStage.WAITING, "is DEGRADED");
        vms.all.put("shop", VmState.PROTECTED);
        pass(Duration.ZERO);
        expect("shop", DrainStage.STAYS, "taken back; see remus status");
        assertTrue(work.isEmpty());
        vms.failure = null;
        drain.begin(); // by command, once more
        pass(Duration.ZERO);
        finish();
        expect("shop", DrainStage.GONE, "runs on beta");
    }

    /** Its agent ends a moment after the other host has it. */
    @Test
    void aVmThatHasGoneIsNotTakenForANewOne() {
        vms.all.put("shop", VmState.PROTECTED);
        drain.begin();
        pass(Duration.ZERO);
        work.remove().run();
        vms.all.put("shop", VmState.FENCED);
        pass(Duration.ZERO);
        expect("shop", DrainStage.LEFT, "runs on beta");
        vms.all.put("shop", VmState.STANDBY);
        pass(Duration.ZERO);
        expect("shop", DrainStage.WAITING, "asked to let it go");
    }

    private OperationException refused() {
        return assertThrows(OperationException.class, () -> drain.admit("shop", VmRole.PRIMARY));
    }

    @Test
    void nothingNewIsTakenUntilThatIsUndone() throws Exception {
        drain.admit("shop", VmRole.PRIMARY).close();
        drain.begin();
        assertEquals(
                "VM shop: host alpha is being drained and takes nothing new; use another host, or end that: remus drain"
                        + " --undo",
                refused().getMessage());
        drain.undo();
        drain.admit("shop", VmRole.PRIMARY).close();
        assertNull(drain.status());
    }

    @Test
    void whatWasLetInBeforeIsWaitedForAndSeen() throws Exception {
        try (HostDrain.Arrival _ = drain.admit("shop", VmRole.PRIMARY)) {
            drain.begin();
            pass(Duration.ZERO);
            expect("shop", DrainStage.WAITING, "is just being started here");
            assertFalse(status().done(), "nobody knows what becomes of it");
            vms.all.put("shop", VmState.PROTECTED);
        }
        assertFalse(status().done(), "nobody has looked since");
        pass(Duration.ZERO);
        finish();
        expect("shop", DrainStage.GONE, "runs on beta");
        assertTrue(status().done());
    }

    @Test
    void aSessionThatWasRefusedInTheEndIsNotWaitedForAnyLonger() throws Exception {
        try (HostDrain.Arrival _ = drain.admit("shop", VmRole.BACKUP)) {
            drain.begin();
            pass(Duration.ZERO);
            expect("shop", DrainStage.WAITING, "its session just begins here");
        }
        pass(Duration.ZERO);
        assertEquals(new Draining(true, List.of()), status());
    }

    @Test
    void aHostThatEndsGivesNothingAwayAndStillTakesNothing() {
        vms.all.put("shop", VmState.PROTECTED);
        drain.begin();
        drain.close();
        pass(Duration.ZERO);
        assertTrue(work.isEmpty());
        assertTrue(String.valueOf(refused().getMessage()).contains("takes nothing new"));
    }

    @Test
    void aTakeOverThatDoesNotComeAboutIsNotWaitedForForEver() {
        vms.all.put("shop", VmState.ACTIVATING);
        drain.begin();
        pass(Duration.ZERO);
        expect("shop", DrainStage.WAITING, "is being taken over here");
        assertFalse(status().done());
        pass(HostDrain.PATIENCE);
        expect("shop", DrainStage.STAYS, "is being taken over here: see remus status shop");
        assertTrue(status().done());
        vms.all.put("shop", VmState.PROTECTED);
        pass(Duration.ZERO);
        finish();
        expect("shop", DrainStage.GONE, "runs on beta");
    }

    @Test
    void aHandOverThatBreaksIsTriedAgainLikeOneThatIsRefused() {
        vms.all.put("shop", VmState.PROTECTED);
        vms.broken = new AssertionError("a contradiction");
        drain.begin();
        pass(Duration.ZERO);
        finish();
        expect("shop", DrainStage.WAITING, "a contradiction");
        vms.broken = null;
        pass(HostDrain.RETRY_PAUSE);
        finish();
        expect("shop", DrainStage.GONE, "runs on beta");
    }

    @Test
    void aQuestionThatBreaksIsAskedAgain() {
        vms.all.put("shop", VmState.PROTECTED);
        drain.begin();
        pass(Duration.ZERO);
        work.remove().run();
        vms.broken = new AssertionError("a contradiction");
        pass(Duration.ZERO);
        work.remove().run();
        expect("shop", DrainStage.LEFT, "could not be asked");
        vms.broken = null;
        pass(HostDrain.SHELTER_PAUSE);
        finish();
        expect("shop", DrainStage.GONE, "it is protected there");
    }

    @Test
    @Timeout(60)
    void aLookThatBreaksIsNotTheLastOne() throws Exception {
        CountDownLatch looks = new CountDownLatch(2);
        HostDrain.Host breaking = new NoVms() {
            @Override
            public List<HostDrain.Present> present() {
                looks.countDown();
                throw new AssertionError("a contradiction");
            }
        };
        try (HostDrain broken = new HostDrain("alpha", time)) {
            broken.serve(breaking, work::add);
            broken.start();
            assertTrue(looks.await(20, TimeUnit.SECONDS), "it looks again");
        }
    }

    @Test
    void nothingIsMovedByAHostThatIsNotBeingDrained() {
        vms.all.put("shop", VmState.PROTECTED);
        pass(Duration.ZERO);
        assertTrue(work.isEmpty());
    }
}
