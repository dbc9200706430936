package remus.wire;

/** What a host says about a VM when it is asked. */
public enum OwnerState {
    /** It knows no such VM. */
    UNKNOWN(0),
    /** It is the VM's backup and has not taken over. */
    STANDBY(1),
    /** It is taking over. */
    ACTIVATING(2),
    /** It runs the VM, without a backup. */
    RUNNING_ALONE(3),
    /** It runs the VM, and a backup acknowledges. */
    RUNNING_PROTECTED(4),
    /** It runs the VM and holds its output, for it can't reach the backup. */
    RUNNING_UNCERTAIN(5),
    /** It ran the VM and was fenced. */
    FENCED(6),
    /** It ran the VM, which was stopped in good order. */
    STOPPED(7);

    private final int code;

    OwnerState(int code) {
        this.code = code;
    }

    int code() {
        return code;
    }

    static OwnerState ofCode(int code) throws WireException {
        for (OwnerState state : values()) {
            if (state.code == code) {
                return state;
            }
        }
        throw WireException.foreign("unknown state " + code + " of a VM");
    }
}
