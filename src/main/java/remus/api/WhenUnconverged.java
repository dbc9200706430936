package remus.api;

import java.util.Locale;

/** What becomes of a guest that writes memory faster than it can be copied; written in lower case with hyphens. */
public enum WhenUnconverged {
    /** It is suspended all the same when the rounds or the data allowed are used up; the downtime is what it is then. */
    STOP,
    /** It is slowed down more and more, by being made to stand still for a share of the time. */
    AUTO_CONVERGE,
    /** The migration is given up, and it runs on where it is. */
    ABORT;

    /** @throws IllegalArgumentException naming the text and the choices */
    public static WhenUnconverged parse(String text) {
        for (WhenUnconverged value : values()) {
            if (value.toString().equals(text)) {
                return value;
            }
        }
        throw new IllegalArgumentException("'" + text + "' is none of stop, auto-converge and abort");
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
