package remus.api;

/** How far a VM is on its way from a host that is being drained. */
public enum DrainStage {
    /** Its turn has not come, or it can't go yet. */
    WAITING,
    /** It is being handed over. */
    MOVING,
    /** This host neither runs it nor backs it up any more; whether another one protects it is not settled yet. */
    LEFT,
    /** As LEFT, and settled as far as it will be. */
    GONE,
    /** It stays until somebody does something about it. */
    STAYS
}
