package remus.zookeeper;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import remus.availability.Arbiter.Outcome;
import remus.availability.Arbiter.ReadOutcome;
import remus.availability.Arbiter.SetOutcome;
import remus.availability.HostId;
import remus.availability.OwnershipRecord;
import remus.availability.RequestId;
import remus.base.Term;
import remus.zookeeper.SimulatedNodes.Sabotage;
import remus.zookeeper.SimulatedNodes.Version;

/** What {@link ReadCall} and {@link SetCall} say is true, whatever becomes of their requests: thousands of seeded runs. */
class RecordCallSimulationTest {
    private static final int SEEDS = 4_000;
    private static final int HOSTS = 3;
    private static final int CALLS_PER_HOST = 12;
    private static final RecordCall.Place PLACE = new RecordCall.Place("shop", "/remus/vms/shop");

    /** One call and what was said of it. */
    private static final class Call {
        final @Nullable OwnershipRecord expected;
        final @Nullable OwnershipRecord next;
        final long askedMillis;
        long answeredMillis;

        @Nullable
        Outcome outcome;

        Call(@Nullable OwnershipRecord expected, @Nullable OwnershipRecord next, long askedMillis) {
            this.expected = expected;
            this.next = next;
            this.askedMillis = askedMillis;
        }
    }

    /** Three hosts that ask for terms against each other, and now and then ask again for what they do not know. */
    private static final class Run {
        final SimulatedNodes ensemble;
        final List<Call> calls = new ArrayList<>();
        final List<String> violations = new ArrayList<>();

        Run(long seed, Sabotage sabotage) {
            ensemble = new SimulatedNodes(seed, PLACE.path(), sabotage);
            for (int host = 0; host < HOSTS; host++) {
                ask(new HostId("host" + host), ensemble.host(), null, CALLS_PER_HOST);
            }
            ensemble.run();
        }

        private void ask(HostId self, VersionedNodes nodes, @Nullable Call before, int left) {
            if (left == 0) {
                return;
            }
            ensemble.after(ensemble.random.nextInt(300), () -> {
                RecordCall.Setting setting =
                        new RecordCall.Setting(nodes, (millis, task) -> ensemble.after(millis, task), _ -> {});
                Call call = chosen(self, before, left);
                calls.add(call);
                if (call.next == null) {
                    new ReadCall(setting, PLACE, outcome -> answered(self, nodes, call, outcome, left)).begin();
                } else {
                    new SetCall(
                                    setting,
                                    PLACE,
                                    call.expected,
                                    call.next,
                                    outcome -> answered(self, nodes, call, outcome, left))
                            .begin();
                }
            });
        }

        private Call chosen(HostId self, @Nullable Call before, int left) {
            if (before != null && before.outcome instanceof SetOutcome.Unknown && ensemble.random.nextBoolean()) {
                return new Call(before.expected, before.next, ensemble.nowMillis());
            }
            OwnershipRecord known = known(before);
            if (before == null
                    || before.outcome instanceof ReadOutcome.Unavailable
                    || ensemble.random.nextInt(4) == 0) {
                return new Call(null, null, ensemble.nowMillis());
            }
            Term term = known == null ? new Term(1) : known.term().next();
            RequestId request = RequestId.of(self, "1", left);
            return new Call(known, OwnershipRecord.alone(term, self, request), ensemble.nowMillis());
        }

        private static @Nullable OwnershipRecord known(@Nullable Call before) {
            if (before == null) {
                return null;
            }
            return switch (before.outcome) {
                case ReadOutcome.Found(OwnershipRecord found) -> found;
                case SetOutcome.Refused(OwnershipRecord current) -> current;
                case SetOutcome.Done() -> before.next;
                case null, default -> null;
            };
        }

        private void answered(HostId self, VersionedNodes nodes, Call call, Outcome outcome, int left) {
            if (call.outcome != null) {
                violations.add("answered twice: " + call.outcome + ", " + outcome);
            }
            call.outcome = outcome;
            call.answeredMillis = ensemble.nowMillis();
            ask(self, nodes, call, left - 1);
        }

        void check() throws UnreadableRecordException {
            List<OwnershipRecord> history = new ArrayList<>();
            for (Version version : ensemble.history) {
                history.add(RecordFormat.decode(PLACE.vm(), version.text()));
            }
            for (int index = 0; index < history.size(); index++) {
                if (history.get(index).term().value() != index + 1) {
                    violations.add("terms do not grow by one: " + history);
                }
            }
            for (Call call : calls) {
                if (call.outcome == null) {
                    violations.add("not answered");
                } else {
                    check(call, call.outcome, history);
                }
            }
        }

        private void check(Call call, Outcome outcome, List<OwnershipRecord> history) {
            if (call.answeredMillis - call.askedMillis > ZooKeeperLimits.ANSWER_LIMIT_MILLIS) {
                violations.add("answered after " + (call.answeredMillis - call.askedMillis) + " ms");
            }
            long landed =
                    history.stream().filter(record -> record.equals(call.next)).count();
            boolean askedOnce = calls.stream()
                            .filter(other -> Objects.equals(other.next, call.next))
                            .count()
                    == 1;
            switch (outcome) {
                case ReadOutcome.Found(OwnershipRecord found) -> checkCurrent(call, found, history);
                case ReadOutcome.Absent() -> checkCurrent(call, null, history);
                case SetOutcome.Done() -> {
                    if (landed != 1) {
                        violations.add("done, but landed " + landed + " times");
                    }
                }
                case SetOutcome.Refused(OwnershipRecord current) -> {
                    checkCurrent(call, current, history);
                    if (askedOnce && landed != 0) {
                        violations.add("refused, but landed: " + call.next);
                    }
                }
                case ReadOutcome.Unavailable _, SetOutcome.Unknown _ -> {}
            }
        }

        /** Whether that was the record at some moment of the call. */
        private void checkCurrent(Call call, @Nullable OwnershipRecord record, List<OwnershipRecord> history) {
            int index = record == null ? -1 : history.indexOf(record);
            boolean existed = record == null || index >= 0;
            boolean begun = index < 0 || ensemble.history.get(index).sinceMillis() <= call.answeredMillis;
            boolean notOver = index + 1 >= history.size()
                    || ensemble.history.get(index + 1).sinceMillis() >= call.askedMillis;
            if (!existed || !begun || !notOver) {
                violations.add("not the record at any time of the call: " + record);
            }
        }
    }

    private static @Nullable String firstViolation(Sabotage sabotage, Map<String, Integer> outcomes)
            throws UnreadableRecordException {
        for (long seed = 1; seed <= SEEDS; seed++) {
            Run run = new Run(seed, sabotage);
            run.check();
            if (!run.violations.isEmpty()) {
                return "seed " + seed + ": " + run.violations;
            }
            for (Call call : run.calls) {
                Outcome outcome = call.outcome;
                outcomes.merge(outcome == null ? "none" : outcome.getClass().getSimpleName(), 1, Integer::sum);
            }
        }
        return null;
    }

    @Test
    void whatIsSaidOfARecordIsTrueWhateverGetsLost() throws UnreadableRecordException {
        Map<String, Integer> outcomes = new TreeMap<>();
        assertEquals(null, firstViolation(Sabotage.NONE, outcomes));
        // Each kind of answer must have been among them, or the runs would prove little.
        for (String kind : List.of("Absent", "Done", "Found", "Refused", "Unavailable", "Unknown")) {
            assertTrue(outcomes.getOrDefault(kind, 0) > 100, outcomes.toString());
        }
        System.out.println("calls by answer: " + outcomes);
    }

    @Test
    void eachSabotageIsCaught() throws UnreadableRecordException {
        Map<Sabotage, String> caught = new EnumMap<>(Sabotage.class);
        for (Sabotage sabotage : Sabotage.values()) {
            if (sabotage != Sabotage.NONE) {
                String violation = firstViolation(sabotage, new TreeMap<>());
                assertNotNull(violation, sabotage + " was not caught");
                caught.put(sabotage, violation);
            }
        }
        System.out.println("caught: " + caught);
    }
}
