package remus.doctor;

import org.jspecify.annotations.Nullable;

/**
 * What an exception said, cut where our messages go over from what is wrong to what to do about it.
 *
 * @param advice null where the message has none
 */
record Problem(String what, @Nullable String advice) {
    private static final String BEFORE_ADVICE = "; ";

    static Problem of(Throwable failure) {
        return of(String.valueOf(failure.getMessage()));
    }

    static Problem of(String message) {
        String line = message.strip().replaceAll("\\s*[\\r\\n]+\\s*", " ");
        int cut = line.indexOf(BEFORE_ADVICE);
        return cut < 0
                ? new Problem(line, null)
                : new Problem(line.substring(0, cut), line.substring(cut + BEFORE_ADVICE.length()));
    }
}
