package remus.api;

import java.util.Locale;

/** What a primary does when it has lost its backup and no arbiter can tell who owns the VM; written in lower case. */
public enum WhenAlone {
    /** Holds the guest's output until a backup is back or somebody decides. */
    HOLD,
    /** Goes on alone after three detection times, unless a reachable peer says that it has activated. */
    CONTINUE;

    /** @throws IllegalArgumentException naming the text and the choices */
    public static WhenAlone parse(String text) {
        for (WhenAlone value : values()) {
            if (value.toString().equals(text)) {
                return value;
            }
        }
        throw new IllegalArgumentException("'" + text + "' is neither hold nor continue");
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
