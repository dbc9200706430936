package remus.base;

/**
 * Where a host listens: an address or name, and a TCP port.
 *
 * @param host IPv4 or IPv6 address (without brackets) or a name; not empty
 * @param port 0 (any free port, for listening only) to 65535
 */
public record HostAddress(String host, int port) {
    public HostAddress {
        if (host.isBlank()) {
            throw new IllegalArgumentException("the address has no host part");
        }
        if (port < 0 || port > 65535) {
            throw new IllegalArgumentException("port " + port + " is not in 0..65535");
        }
    }

    /**
     * Reads {@code HOST:PORT} or {@code [IPV6]:PORT}; a missing port is {@code defaultPort}.
     *
     * @throws IllegalArgumentException naming the text and the form that is understood
     */
    public static HostAddress parse(String text, int defaultPort) {
        String stripped = text.strip();
        try {
            if (stripped.startsWith("[")) {
                int end = stripped.indexOf(']');
                String rest = stripped.substring(end + 1);
                int port = rest.isEmpty() ? defaultPort : Integer.parseInt(rest.substring(1));
                return new HostAddress(stripped.substring(1, end), port);
            }
            int colon = stripped.lastIndexOf(':');
            return colon < 0
                    ? new HostAddress(stripped, defaultPort)
                    : new HostAddress(stripped.substring(0, colon), Integer.parseInt(stripped.substring(colon + 1)));
        } catch (IndexOutOfBoundsException | IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    "'" + text + "' is not an address: write HOST:PORT, such as 192.0.2.7:7420", e);
        }
    }

    @Override
    public String toString() {
        return host.indexOf(':') >= 0 ? "[" + host + "]:" + port : host + ":" + port;
    }
}
