package remus.availability;

import java.util.regex.Pattern;

/**
 * Marks an ownership record with the request that wrote it, so that a host whose connection broke during a set finds out
 * whether it landed. A repeated request keeps its id; no two different requests ever share one.
 *
 * @param value letters, digits, dots, dashes and underscores, at most {@value #MAX_LENGTH}
 */
public record RequestId(String value) {
    public static final int MAX_LENGTH = 200;

    private static final Pattern FORM = Pattern.compile("[A-Za-z0-9._-]{1," + MAX_LENGTH + "}");

    public RequestId {
        if (!FORM.matcher(value).matches()) {
            throw new IllegalArgumentException("'" + value + "' is not a request's id");
        }
    }

    /**
     * @param incarnation differs each time the host's daemon starts
     * @param number differs for each request of that incarnation about this VM
     */
    public static RequestId of(HostId host, String incarnation, long number) {
        return new RequestId(host.name() + "." + incarnation + "." + number);
    }

    @Override
    public String toString() {
        return value;
    }
}
