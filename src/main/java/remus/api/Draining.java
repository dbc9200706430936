package remus.api;

import java.util.List;

/**
 * A host that gives its VMs away and takes none.
 *
 * @param done whether nothing more happens by itself: all are gone, or stay until somebody does something about them
 * @param vms those that it has had since it was asked to, by name
 */
public record Draining(boolean done, List<DrainStep> vms) {
    public Draining {
        vms = List.copyOf(vms);
    }
}
