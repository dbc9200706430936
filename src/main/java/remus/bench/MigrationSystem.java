package remus.bench;

import java.util.Locale;

/** Who moves the guest. */
public enum MigrationSystem {
    QEMU,
    REMUS;

    /** Its name in reports. */
    public String key() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** @throws IllegalArgumentException naming the text and the choices */
    public static MigrationSystem parse(String text) {
        for (MigrationSystem system : values()) {
            if (system.key().equals(text)) {
                return system;
            }
        }
        throw new IllegalArgumentException("'" + text + "' is neither qemu nor remus");
    }
}
