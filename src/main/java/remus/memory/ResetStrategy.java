package remus.memory;

/** How written pages are reset in the asynchronous mode; what is cheap depends on the accelerator. */
public enum ResetStrategy {
    /** One pass that finds and resets all: cheapest under TCG. */
    ONE_RESETTING_SCAN,
    /**
     * A pass that only finds, then a resetting one over each range found. Needed under KVM: a resetting scan of all RAM
     * makes KVM drop its whole mapping of guest memory, and the guest then runs 20 to 30 times slower.
     */
    FIND_THEN_RESET
}
