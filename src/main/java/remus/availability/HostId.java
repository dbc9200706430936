package remus.availability;

import java.util.regex.Pattern;

/**
 * A host as the ownership record names it: the name its daemon was given. Two daemons with one name would be one owner to
 * the arbiter, so names are unique among the hosts that share one.
 *
 * @param name letters, digits, dots, dashes and underscores, at most {@value #MAX_LENGTH}
 */
public record HostId(String name) {
    public static final int MAX_LENGTH = 128;

    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0," + (MAX_LENGTH - 1) + "}");

    public HostId {
        if (!NAME.matcher(name).matches()) {
            throw new IllegalArgumentException("'" + name + "' is not a host's name: letters, digits, '.', '_', '-'");
        }
    }

    @Override
    public String toString() {
        return name;
    }
}
