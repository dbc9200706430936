package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import remus.base.HostAddress;
import remus.host.OperationException.Kind;
import remus.host.ProtectionKeeper.Outcome;

/** When and by whom a VM is protected again; on a clock that the test moves, with hosts that it speaks for. */
class ProtectionKeeperTest {
    private static final String VM = "shop";
    private static final String REFUSAL = "host beta: the standby needs 512 MiB but this host has 100 MiB";

    private final SettableTime time = new SettableTime();
    private final Deque<Runnable> work = new ArrayDeque<>();
    private final FakeHosts hosts = new FakeHosts();
    private final ProtectionKeeper keeper = new ProtectionKeeper(time);

    ProtectionKeeperTest() {
        keeper.begin(hosts, work::add);
    }

    /** Three hosts: alpha is the keeper's own. */
    private static final class FakeHosts implements ProtectionKeeper.Hosts {
        private final Map<String, Outcome> outcomes = new HashMap<>();
        private final Set<HostAddress> up = new HashSet<>();
        private final List<String> tried = new ArrayList<>();
        private final List<String> told = new ArrayList<>();
        private int probes;
        private int located;
        private @Nullable Error error;
        private int news;

        static HostAddress address(String name) {
            return new HostAddress(name, 7420);
        }

        @Override
        public @Nullable HostAddress locate(String candidate) throws OperationException {
            located++;
            return switch (candidate) {
                case "alpha" -> null;
                case "beta", "beta:7420" -> address("beta");
                case "gamma" -> address("gamma");
                default ->
                    throw new OperationException(Kind.REFUSED, "backup: '" + candidate + "' is no peer", "name one");
            };
        }

        @Override
        public Outcome protect(String vm, ProtectionSettings policy, HostAddress backup, String why) {
            Error thrown = error;
            if (thrown != null) {
                throw thrown;
            }
            tried.add(vm + " by " + backup.host() + ": " + why);
            return outcomes.getOrDefault(backup.host(), new Outcome.Begun());
        }

        @Override
        public boolean answers(HostAddress host, String vm) {
            probes++;
            return up.contains(host);
        }

        @Override
        public void waits(String vm, String reason, boolean isNews) {
            told.add(reason);
            news += isNews ? 1 : 0;
        }
    }

    private static ProtectionSettings by(String... backups) {
        ProtectionSettings settings = ProtectionSettings.DEFAULTS;
        for (String backup : backups) {
            settings = settings.withLast(backup);
        }
        return settings;
    }

    /** All that can be done without the clock's moving is done. */
    private long settle() {
        long wait = keeper.tick(time.nanos());
        while (!work.isEmpty()) {
            work.remove().run();
            wait = keeper.tick(time.nanos());
        }
        return wait;
    }

    private void pass(Duration duration) {
        time.wallMillis.addAndGet(duration.toMillis());
        settle();
    }

    private void expectTried(String... tried) {
        assertEquals(List.of(tried), hosts.tried);
        hosts.tried.clear();
    }

    @Test
    void candidatesAreTriedInTheirOrderUntilOneHasTheVm() {
        hosts.outcomes.put("beta", new Outcome.Refused("beta:7420: " + REFUSAL));
        keeper.alone(VM, by("beta", "gamma"), "its backup was lost");
        settle();
        expectTried("shop by beta: its backup was lost", "shop by gamma: its backup was lost");
        keeper.begun(VM, FakeHosts.address("gamma"));
        keeper.isProtected(VM, by("beta", "gamma"));
        pass(Duration.ofHours(1));
        expectTried();
        assertEquals(List.of(), hosts.told);
    }

    @Test
    void aVmHasOneAttemptAtATime() {
        keeper.alone(VM, by("beta", "gamma"), "lost");
        keeper.tick(time.nanos());
        keeper.alone(VM, by("beta", "gamma"), "lost");
        time.wallMillis.addAndGet(60_000);
        keeper.tick(time.nanos());
        assertEquals(1, work.size());
        assertNotNull(work.peek());
    }

    @Test
    void whoRefusesIsLeftAloneForAPauseThatDoublesUpToHalfAMinute() {
        hosts.outcomes.put("beta", new Outcome.Refused("beta:7420: " + REFUSAL));
        keeper.alone(VM, by("beta"), "lost");
        settle();
        expectTried("shop by beta: lost");
        assertEquals(
                List.of("lost; not protected again: beta:7420: " + REFUSAL + "; next try in 1s"), hosts.told, "told");
        for (int seconds : List.of(1, 2, 4, 8, 16, 30, 30)) {
            pass(Duration.ofSeconds(seconds).minusMillis(1));
            expectTried();
            pass(Duration.ofMillis(1));
            expectTried("shop by beta: lost");
        }
        assertEquals(8, hosts.told.size());
        assertEquals(1, hosts.news, "the same again is no news");
        assertEquals(0, hosts.probes, "a host that answers needs no asking");
    }

    @Test
    void aHostThatWasDownIsTriedAsSoonAsItAnswers() {
        hosts.outcomes.put("beta", new Outcome.Down("beta:7420: Connection refused"));
        keeper.alone(VM, by("beta"), "lost");
        keeper.alone("till", by("beta"), "lost, too");
        for (int second = 0; second < 120; second++) {
            pass(Duration.ofSeconds(1));
        }
        assertTrue(hosts.told.getLast().endsWith("next try in 30s, or as soon as beta:7420 answers"), "" + hosts.told);
        assertTrue(hosts.probes <= 120, hosts.probes + " questions for two VMs");
        hosts.tried.clear();
        hosts.up.add(FakeHosts.address("beta"));
        hosts.outcomes.clear();
        pass(ProtectionKeeper.PROBE_PAUSE);
        expectTried("shop by beta: lost", "till by beta: lost, too");
    }

    @Test
    void aSessionThatIsRefusedBeforeTheVmIsProtectedLeadsToTheNextCandidate() {
        keeper.alone(VM, by("beta", "gamma"), "lost");
        settle();
        keeper.begun(VM, FakeHosts.address("beta"));
        keeper.alone(VM, by("beta", "gamma"), REFUSAL);
        settle();
        expectTried("shop by beta: lost", "shop by gamma: lost");
        keeper.begun(VM, FakeHosts.address("gamma"));
        keeper.alone(VM, by("beta", "gamma"), "gone");
        settle();
        assertEquals(
                "lost; not protected again: beta:7420: " + REFUSAL + "; gamma:7420: gone; next try in 1s",
                hosts.told.getLast());
    }

    @Test
    void aBeginningThatIsToldBeforeItsOutcomeIsNotForgotten() {
        keeper.alone(VM, by("beta", "gamma"), "lost");
        keeper.tick(time.nanos());
        keeper.begun(VM, FakeHosts.address("beta"));
        keeper.alone(VM, by("beta", "gamma"), "broken");
        settle();
        expectTried("shop by beta: lost", "shop by gamma: lost");
    }

    @Test
    void aVmThatIsUnprotectedByCommandIsLeftAlone() {
        hosts.outcomes.put("beta", new Outcome.Down("down"));
        keeper.alone(VM, by("beta"), "lost");
        settle();
        expectTried("shop by beta: lost");
        keeper.over(VM);
        hosts.up.add(FakeHosts.address("beta"));
        pass(Duration.ofHours(2));
        expectTried();
        assertEquals(0, hosts.probes);
    }

    @Test
    void anAttemptThatEndsAfterTheVmWasUnprotectedChangesNothing() {
        hosts.outcomes.put("beta", new Outcome.Refused("full"));
        keeper.alone(VM, by("beta", "gamma"), "lost");
        keeper.tick(time.nanos());
        keeper.over(VM);
        settle();
        expectTried("shop by beta: lost");
        assertEquals(List.of(), hosts.told);
    }

    @Test
    void namesThatNobodyKnowsAndTheHostItselfAreSkippedWithAReason() {
        hosts.outcomes.put("beta", new Outcome.Refused("beta:7420: full"));
        keeper.alone(VM, by("alpha", "delta", "beta", "beta:7420"), "taken over here");
        settle();
        expectTried("shop by beta: taken over here");
        assertEquals(
                List.of(
                        "taken over here; not protected again: backup: 'delta' is no peer; name one; beta:7420: full; next try in 1s"),
                hosts.told);
    }

    @Test
    void whereNoOtherHostIsKnownNothingIsTriedButSaid() {
        keeper.alone(VM, by("alpha"), "taken over here");
        assertTrue(settle() > Duration.ofMinutes(10).toNanos(), "no busy polling");
        expectTried();
        assertEquals(List.of("taken over here; not protected again: no other host is named"), hosts.told);
    }

    @Test
    void aVmThatIsBusyIsAskedAgainSoonAndNobodyIsBlamed() {
        hosts.outcomes.put("beta", new Outcome.Busy("still in the last pause"));
        keeper.alone(VM, by("beta", "gamma"), "lost");
        settle();
        expectTried("shop by beta: lost");
        hosts.outcomes.clear();
        pass(ProtectionKeeper.BUSY_PAUSE);
        expectTried("shop by beta: lost");
        assertEquals(List.of(), hosts.told);
    }

    @Test
    void whoLosesItsBackupAgainAndAgainWaitsLongerEachTime() {
        ProtectionSettings policy = by("beta");
        keeper.isProtected(VM, policy);
        for (int seconds : List.of(0, 1, 2, 4)) {
            keeper.alone(VM, policy, "digests differ");
            settle();
            pass(Duration.ofSeconds(seconds));
            expectTried("shop by beta: digests differ");
            keeper.begun(VM, FakeHosts.address("beta"));
            keeper.isProtected(VM, policy);
        }
        settle();
        pass(ProtectionKeeper.STEADY);
        keeper.alone(VM, policy, "another reason");
        settle();
        expectTried("shop by beta: another reason");
    }

    @Test
    void aSessionByCommandEndsTheWaiting() {
        hosts.outcomes.put("beta", new Outcome.Refused("full"));
        keeper.alone(VM, by("beta"), "lost");
        settle();
        expectTried("shop by beta: lost");
        keeper.begun(VM, FakeHosts.address("beta"));
        pass(Duration.ofHours(1));
        expectTried();
    }

    @Test
    void whatBecomesOfASessionByCommandIsNoCandidatesFault() {
        keeper.alone(VM, by("beta"), "lost");
        keeper.tick(time.nanos());
        work.remove().run();
        keeper.begun(VM, FakeHosts.address("delta"));
        keeper.alone(VM, by("beta"), "refused by delta");
        settle();
        expectTried("shop by beta: lost", "shop by beta: refused by delta");
        assertEquals(List.of(), hosts.told);
    }

    @Test
    void whoRefusedIsNotAskedBecauseAnotherHostIsBack() {
        hosts.outcomes.put("beta", new Outcome.Down("beta:7420: Connection refused"));
        hosts.outcomes.put("gamma", new Outcome.Refused("gamma:7420: full"));
        keeper.alone(VM, by("beta", "gamma"), "lost");
        settle();
        for (int second = 0; second < 20; second++) {
            pass(Duration.ofSeconds(1));
        }
        hosts.tried.clear();
        hosts.up.add(FakeHosts.address("beta"));
        hosts.outcomes.put("beta", new Outcome.Refused("beta:7420: full"));
        pass(ProtectionKeeper.PROBE_PAUSE);
        expectTried("shop by beta: lost");
        pass(ProtectionKeeper.LONGEST_PAUSE);
        expectTried("shop by beta: lost", "shop by gamma: lost");
    }

    @Test
    void whereAHostIsIsNotAskedOnTheKeepersThread() {
        keeper.alone(VM, by("beta"), "lost");
        keeper.tick(time.nanos());
        assertEquals(0, hosts.located, "a name server may take its time");
        settle();
        assertEquals(1, hosts.located);
    }

    @Test
    void anErrorInAnAttemptLeavesNoVmWithoutItsNextOne() {
        hosts.error = new StackOverflowError("deep");
        keeper.alone(VM, by("beta"), "lost");
        settle();
        hosts.error = null;
        pass(ProtectionKeeper.FIRST_PAUSE);
        expectTried("shop by beta: lost");
    }

    @Test
    void aKeeperThatIsClosedBeginsNothing() {
        keeper.alone(VM, by("beta"), "lost");
        keeper.close();
        settle();
        expectTried();
        assertNull(work.peek());
    }
}
