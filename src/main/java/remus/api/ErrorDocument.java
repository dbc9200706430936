package remus.api;

/**
 * The body of every answer that is not a success.
 *
 * @param error one line: what failed and why
 * @param remedy one line: what to do about it; empty when there is nothing to say
 */
public record ErrorDocument(String error, String remedy) {
    /** Both lines in one, for people. */
    public String line() {
        return remedy.isEmpty() ? error : error + "; " + remedy;
    }
}
