package remus.api;

import java.util.Locale;

/** Whether the pages of a VM's checkpoints are coded, which takes processor time and spares the link; written in lower case. */
public enum CompressMode {
    /** Where the link is what holds checkpoints up, and coding takes less time than it spares there. */
    AUTO,
    ALWAYS,
    NEVER;

    /** @throws IllegalArgumentException naming the text and the choices */
    public static CompressMode parse(String text) {
        for (CompressMode value : values()) {
            if (value.toString().equals(text)) {
                return value;
            }
        }
        throw new IllegalArgumentException("'" + text + "' is none of auto, always and never");
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
