package remus.base;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where a host listens: an address or name, and a TCP port.
 *
 * @param host IPv4 or IPv6 address (without brackets) or a name; not empty
 * @param port 0 (any free port, for listening only) to 65535
 */
public record HostAddress(String host, int port) {
    private static final int MAX_PORT = 65535;

    /** An IPv6 address in brackets, or an IPv4 address or name; then a port, or none. */
    private static final Pattern TEXT =
            Pattern.compile("(?:\\[([^\\s\\[\\]:]*:[^\\s\\[\\]]*)]|([^\\s\\[\\]:]+))(?::(\\d{1,5}))?");

    public HostAddress {
        if (host.isBlank()) {
            throw new IllegalArgumentException("the address has no host part");
        }
        if (port < 0 || port > MAX_PORT) {
            throw new IllegalArgumentException("port " + port + " is not in 0..65535");
        }
    }

    /**
     * Reads {@code HOST:PORT} or {@code [IPV6]:PORT}; a missing port is {@code defaultPort}.
     *
     * @throws IllegalArgumentException naming the text and the form that is understood
     */
    public static HostAddress parse(String text, int defaultPort) {
        Matcher matcher = TEXT.matcher(text.strip());
        int port = -1;
        if (matcher.matches()) {
            String digits = matcher.group(3);
            port = digits == null ? defaultPort : Integer.parseInt(digits);
        }
        if (port < 0 || port > MAX_PORT) {
            throw new IllegalArgumentException(
                    "'" + text + "' is not an address: write HOST:PORT, such as 192.0.2.7:7420 or [2001:db8::7]:7420");
        }
        String ipv6 = matcher.group(1);
        return new HostAddress(ipv6 == null ? matcher.group(2) : ipv6, port);
    }

    @Override
    public String toString() {
        return host.indexOf(':') >= 0 ? "[" + host + "]:" + port : host + ":" + port;
    }
}
