package remus.availability;

import java.util.List;

/**
 * What came of an event.
 *
 * @param state the new state
 * @param actions to be done in this order
 */
public record Step<S>(S state, List<OwnershipAction> actions) {
    public Step {
        actions = List.copyOf(actions);
    }
}
