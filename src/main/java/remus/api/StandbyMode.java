package remus.api;

import java.util.Locale;

/** What waits on a VM's backup; written in lower case. */
public enum StandbyMode {
    /** A QEMU that only has to load the last whole checkpoint. */
    WARM,
    /** The VM's memory alone: QEMU is started when the backup takes over, which spares the memory of one meanwhile. */
    COLD;

    /** @throws IllegalArgumentException naming the text and the choices */
    public static StandbyMode parse(String text) {
        for (StandbyMode value : values()) {
            if (value.toString().equals(text)) {
                return value;
            }
        }
        throw new IllegalArgumentException("'" + text + "' is neither warm nor cold");
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
