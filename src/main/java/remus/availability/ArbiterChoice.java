package remus.availability;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import remus.base.HostAddress;

/** Who decides about ownership on a host, as {@code --arbiter} says it. */
public sealed interface ArbiterChoice {
    /** ZooKeeper's usual port, where none is written. */
    int DEFAULT_PORT = 2181;

    /** Where Remus keeps its nodes unless told otherwise. */
    String DEFAULT_ROOT = "/remus";

    /** Most servers that one ensemble may be said to have. */
    int MAX_SERVERS = 16;

    /** Longest path of {@link Ensemble#root}. */
    int MAX_ROOT_CHARS = 200;

    /** Each host decides by its own failure detector. */
    record None() implements ArbiterChoice {
        @Override
        public String toString() {
            return "none";
        }
    }

    /**
     * A server in this host's own process, for demo and tests: it ends with the host.
     *
     * @param listen port 0: any free one
     */
    record Embedded(HostAddress listen) implements ArbiterChoice {
        @Override
        public String toString() {
            return "embedded:" + listen;
        }
    }

    /**
     * ZooKeeper's servers.
     *
     * @param servers 1 to {@value #MAX_SERVERS}, in the order written
     * @param root the node under which Remus keeps its own, such as {@code /remus}
     */
    record Ensemble(List<HostAddress> servers, String root) implements ArbiterChoice {
        private static final Pattern ROOT = Pattern.compile("(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+");

        public Ensemble {
            servers = List.copyOf(servers);
            if (servers.isEmpty() || servers.size() > MAX_SERVERS) {
                throw new IllegalArgumentException(
                        servers.size() + " servers are not an ensemble: name 1 to " + MAX_SERVERS);
            }
            for (HostAddress server : servers) {
                if (server.port() == 0) {
                    throw new IllegalArgumentException("no server can be reached at port 0: '" + server + "'");
                }
            }
            if (root.length() > MAX_ROOT_CHARS || !ROOT.matcher(root).matches() || root.startsWith("/zookeeper")) {
                throw new IllegalArgumentException(
                        "'" + root + "' is not a node to keep records under: write a path"
                                + " such as /remus (letters, digits, '.', '_', '-'; not /zookeeper, which is the servers' own)");
            }
        }

        @Override
        public String toString() {
            return "zookeeper:" + String.join(",", texts()) + root;
        }

        private List<String> texts() {
            return servers.stream().map(HostAddress::toString).toList();
        }
    }

    /**
     * Reads {@code none}, {@code embedded[:PORT]}, {@code embedded:ADDR:PORT} or
     * {@code zookeeper:HOST[:PORT][,HOST[:PORT]…][/ROOT]}. An embedded server listens on 127.0.0.1, at any free port, unless
     * told otherwise.
     *
     * @throws IllegalArgumentException naming the text, what is wrong with it and what to write
     */
    static ArbiterChoice parse(String text) {
        int colon = text.indexOf(':');
        String kind = colon < 0 ? text : text.substring(0, colon);
        String rest = colon < 0 ? "" : text.substring(colon + 1);
        return switch (kind) {
            case "none" -> {
                if (colon >= 0) {
                    throw refused(text, "none takes no address");
                }
                yield new None();
            }
            case "embedded" -> new Embedded(colon < 0 ? new HostAddress("127.0.0.1", 0) : listen(text, rest));
            case "zookeeper" -> ensemble(text, rest);
            default -> throw refused(text, "it is none of the three kinds");
        };
    }

    private static HostAddress listen(String text, String rest) {
        try {
            return rest.matches("\\d{1,5}")
                    ? new HostAddress("127.0.0.1", Integer.parseInt(rest))
                    : HostAddress.parse(rest, 0);
        } catch (IllegalArgumentException e) {
            throw refused(text, String.valueOf(e.getMessage()));
        }
    }

    private static Ensemble ensemble(String text, String rest) {
        int slash = rest.indexOf('/');
        String list = slash < 0 ? rest : rest.substring(0, slash);
        if (list.isBlank()) {
            throw refused(text, "it names no server");
        }
        try {
            List<HostAddress> servers = new ArrayList<>();
            for (String server : list.split(",", -1)) {
                HostAddress address = HostAddress.parse(server, DEFAULT_PORT);
                if (servers.contains(address)) {
                    throw refused(text, address + " is named twice");
                }
                servers.add(address);
            }
            return new Ensemble(servers, slash < 0 ? DEFAULT_ROOT : rest.substring(slash));
        } catch (RefusedChoiceException e) {
            throw e;
        } catch (IllegalArgumentException e) {
            throw refused(text, String.valueOf(e.getMessage()));
        }
    }

    private static RefusedChoiceException refused(String text, String why) {
        return new RefusedChoiceException("'" + text + "' is not an arbiter: " + why
                + "; write none, embedded[:PORT] or zookeeper:HOST:PORT[,HOST:PORT...][/ROOT]");
    }

    /** The text is no choice; the message says why and what to write. */
    final class RefusedChoiceException extends IllegalArgumentException {
        private static final long serialVersionUID = 1L;

        private RefusedChoiceException(String message) {
            super(message);
        }
    }
}
