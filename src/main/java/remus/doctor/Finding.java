package remus.doctor;

import org.jspecify.annotations.Nullable;

/**
 * What was found at one check, judged.
 *
 * @param check its name, at most {@value #MAX_NAME_CHARS} characters
 * @param found what is so
 * @param remedy what to do about it; null exactly where all is well
 */
public record Finding(
        String check,
        Verdict verdict,
        String found,
        @Nullable String remedy) {
    /** Longest name of a check. */
    public static final int MAX_NAME_CHARS = 13;

    public Finding {
        if (check.length() > MAX_NAME_CHARS) {
            throw new IllegalArgumentException("'" + check + "' is longer than " + MAX_NAME_CHARS + " characters");
        }
        if ((remedy == null) != (verdict == Verdict.OK)) {
            throw new IllegalArgumentException(check + " is " + verdict + ", remedy=" + remedy);
        }
    }

    static Finding ok(String check, String found) {
        return new Finding(check, Verdict.OK, found, null);
    }

    static Finding warning(String check, String found, String remedy) {
        return new Finding(check, Verdict.WARNING, found, remedy);
    }

    static Finding failure(String check, String found, String remedy) {
        return new Finding(check, Verdict.FAILURE, found, remedy);
    }

    /**
     * A failure of which a message tells, "what, why; what to do".
     *
     * @param otherwise the remedy, where the message has none
     */
    static Finding failure(String check, Problem problem, String otherwise) {
        String advice = problem.advice();
        return failure(check, problem.what(), advice == null ? otherwise : advice);
    }
}
