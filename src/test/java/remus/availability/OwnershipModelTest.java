package remus.availability;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The real state machines of both hosts under whatever can happen between them and the arbiter. Larger searches than the
 * build's: {@code -Dremus.model.states=N} (breadth-first, from each of the two starts), {@code -Dremus.model.walks=N},
 * {@code -Dremus.model.faults=N}.
 */
class OwnershipModelTest {
    private static final long STATES = Long.getLong("remus.model.states", 120_000);
    private static final long WALKS = Long.getLong("remus.model.walks", 30_000);
    private static final int FAULTS = Integer.getInteger("remus.model.faults", 2);
    private static final int STEPS = 200;
    private static final long SABOTAGED_WALKS = 60_000;

    /** What is explored without gaps: two epochs, then every order of what can happen. */
    private static final ModelBounds EVERY_ORDER = new ModelBounds(2, 2, 1, FAULTS);

    private static final ModelBounds ONE_FAULT = new ModelBounds(2, 2, 1, 1);
    private static final long ALL = 400_000;

    private static final ModelBounds LONG_PATHS = new ModelBounds(4, 8, 3, FAULTS + 2);
    private static final ModelBounds SABOTAGED_PATHS = new ModelBounds(3, 6, 3, 3);

    @Test
    void noOrderOfEventsYieldsTwoOwnersOrLosesWhatWasReleasedFromTheFirstSessionOn() {
        explore(ModelWorld.alone(EVERY_ORDER, ModelRules.REAL), STATES);
    }

    @Test
    void noOrderOfEventsYieldsTwoOwnersOrLosesWhatWasReleasedWhileProtected() {
        explore(ModelWorld.guarded(EVERY_ORDER, ModelRules.REAL), STATES);
    }

    @Test
    void whateverFollowsOneFaultOfAProtectedVmIsExploredToTheEnd() {
        assertTrue(explore(ModelWorld.guarded(ONE_FAULT, ModelRules.REAL), ALL).complete());
    }

    private static ModelSearch.Result explore(ModelWorld start, long maxStates) {
        ModelSearch.Result result = new ModelSearch(start).breadthFirst(maxStates);
        assertNull(result.violation(), result::violation);
        System.out.printf(
                "ownership model: %d states to depth %d%s, %d continued without faults, violations 0%n",
                result.states(), result.depth(), result.complete() ? " (all)" : "", result.continuations());
        assertTrue(result.complete() || result.states() >= maxStates, "too little was explored: " + result);
        return result;
    }

    @Test
    void noRandomPathOfFourEpochsAndManyFaultsYieldsAViolation() {
        List<ModelWorld> starts =
                List.of(ModelWorld.alone(LONG_PATHS, ModelRules.REAL), ModelWorld.guarded(LONG_PATHS, ModelRules.REAL));
        ModelSearch.Result result = ModelSearch.randomWalks(starts, 1, WALKS, STEPS);
        assertNull(result.violation(), result::violation);
        System.out.printf(
                "ownership model: %d random paths, %d steps, %d continued without faults, violations 0%n",
                WALKS, result.states(), result.continuations());
        assertTrue(result.states() > 10 * WALKS, "too little happens for a proof: " + result.states() + " steps");
    }

    /** The checks can fail: protocols that break one rule are caught. */
    @ParameterizedTest
    @EnumSource
    void aProtocolWithoutThatRuleIsCaught(ModelSabotage sabotage) {
        List<ModelWorld> starts =
                List.of(ModelWorld.alone(SABOTAGED_PATHS, sabotage), ModelWorld.guarded(SABOTAGED_PATHS, sabotage));
        ModelSearch.Result result = ModelSearch.randomWalks(starts, 1, SABOTAGED_WALKS, STEPS);
        String violation = result.violation();
        assertNotNull(violation, () -> sabotage + " was not caught in " + SABOTAGED_WALKS + " paths");
        System.out.printf(
                "caught %-60s %s%n", sabotage, violation.lines().findFirst().orElseThrow());
    }

    @Test
    void aTraceLeadsFromTheStartToTheViolation() {
        ModelWorld start = ModelWorld.guarded(SABOTAGED_PATHS, ModelSabotage.THE_PRIMARY_GOES_ALONE_WITHOUT_THE_RECORD);
        String violation = new ModelSearch(start).breadthFirst(10_000).violation();
        assertNotNull(violation);
        List<String> lines = violation.lines().toList();
        assertTrue(lines.get(1).startsWith("  start: "), violation);
        assertTrue(lines.size() > 2 && lines.get(2).contains(" -> record ["), violation);
    }

    @Test
    void worldsThatDifferInNamesOnlyLookTheSame() {
        ModelWorld one = ModelWorld.guarded(LONG_PATHS, ModelRules.REAL);
        ModelWorld other = one.copy();
        assertEquals(ModelKey.of(one), ModelKey.of(other));
        other.apply(new ModelMove.Cut(0));
        other.apply(new ModelMove.Heal(0));
        other.apply(new ModelMove.Reconnect(0));
        other.apply(new ModelMove.Deliver(1, 0));
        other.apply(new ModelMove.Deliver(0, 0));
        other.faults = 0;
        assertEquals(ModelKey.of(one), ModelKey.of(other), "a new connection is as good as the old one");
        other.apply(new ModelMove.Run(0));
        assertTrue(!ModelKey.of(one).equals(ModelKey.of(other)));
    }
}
