package remus.simulation;

import com.google.errorprone.annotations.FormatMethod;
import org.jspecify.annotations.Nullable;

/** A rule was broken; the message says which and how. */
final class Violation extends AssertionError {
    private static final long serialVersionUID = 1L;

    private final Rule rule;

    Violation(Rule rule, String message, @Nullable Throwable cause) {
        super(rule + " (" + rule.text() + "): " + message, cause);
        this.rule = rule;
    }

    @FormatMethod
    static void unless(boolean holds, Rule rule, String format, @Nullable Object... values) {
        if (!holds) {
            throw new Violation(rule, format.formatted(values), null);
        }
    }

    Rule rule() {
        return rule;
    }
}
