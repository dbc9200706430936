package remus.api;

import java.util.Locale;

/** How a VM is moved to another host; written in lower case with a hyphen. */
public enum MigrationMode {
    /** Memory and disks are copied while the guest runs, what it writes meanwhile again, and the rest while it stands still. */
    PRE_COPY,
    /** The guest stands still from the beginning until it runs on the other host. */
    STOP_THE_WORLD;

    /** @throws IllegalArgumentException naming the text and the choices */
    public static MigrationMode parse(String text) {
        for (MigrationMode value : values()) {
            if (value.toString().equals(text)) {
                return value;
            }
        }
        throw new IllegalArgumentException("'" + text + "' is neither pre-copy nor stop-the-world");
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
