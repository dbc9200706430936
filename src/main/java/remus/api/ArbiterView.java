package remus.api;

import org.jspecify.annotations.Nullable;

/**
 * Who decides which host owns a VM, as a host sees it.
 *
 * @param name as {@code --arbiter} has it: {@code none}, {@code embedded:…}, {@code zookeeper:…}
 * @param reachable whether it can be asked now; only who needs a decision has to
 * @param reason how that is known, or null where there is none to ask
 */
public record ArbiterView(
        String name, boolean reachable, @Nullable String reason) {
    /** Each host decides by its own failure detector. */
    public static final ArbiterView NONE = new ArbiterView("none", true, null);
}
