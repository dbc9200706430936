package remus.host;

import java.nio.file.Path;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import remus.availability.ArbiterChoice;
import remus.base.HostAddress;
import remus.host.OperationException.Kind;

/**
 * How a host daemon is set up, checked and complete.
 *
 * @param name {@code [a-z0-9-]{1,40}}; what status and other hosts call this host
 * @param listen where backups and primaries meet
 * @param api where commands arrive; keep it on a loopback address, for whoever reaches it controls the VMs
 * @param state absolute directory of this daemon's own, made when it does not exist
 * @param arbiter who decides which host owns a VM
 * @param arbiterCredential file with who this host is to an ensemble, or null
 * @param keepVms whether the VMs go on without the daemon when it ends in good order, for the next one to adopt
 * @param realTime whether what a checkpoint waits for has real-time priority, where the system allows it
 * @param peers replication addresses of other hosts, by the names that VM definitions use
 */
public record HostConfiguration(
        String name,
        HostAddress listen,
        HostAddress api,
        Path state,
        ArbiterChoice arbiter,
        @Nullable Path arbiterCredential,
        boolean keepVms,
        boolean realTime,
        Map<String, HostAddress> peers) {
    /** Port that hosts replicate over. */
    public static final int DEFAULT_LISTEN_PORT = 7420;

    /** Port that commands arrive on. */
    public static final int DEFAULT_API_PORT = 7421;

    public static final HostAddress DEFAULT_LISTEN = new HostAddress("0.0.0.0", DEFAULT_LISTEN_PORT);
    public static final HostAddress DEFAULT_API = new HostAddress("127.0.0.1", DEFAULT_API_PORT);

    /** Names of hosts and VMs: safe in file names, command lines and host names. */
    static final Pattern NAME = Pattern.compile("[a-z0-9][a-z0-9-]{0,39}");

    public HostConfiguration {
        peers = Map.copyOf(peers);
    }

    /**
     * The replication address of another host.
     *
     * @param text the name of a peer, or an address, which has a port or at least a dot
     * @throws OperationException when it is neither
     */
    public HostAddress peerAddress(String text) throws OperationException {
        HostAddress peer = peers.get(text);
        if (peer != null) {
            return peer;
        }
        try {
            if (text.indexOf(':') >= 0 || text.indexOf('.') >= 0) {
                return HostSettings.listenAddress(text);
            }
        } catch (IllegalArgumentException e) {
            throw new OperationException(Kind.REFUSED, "backup: " + e.getMessage(), "", e);
        }
        throw new OperationException(
                Kind.REFUSED,
                "backup: %s is neither an address nor a peer of host %s".formatted(StrictYaml.shown(text), name),
                peers.isEmpty()
                        ? "write ADDR:PORT, or start the host with --peers NAME=ADDR:PORT"
                        : "write ADDR:PORT, or one of its peers: " + String.join(", ", new TreeSet<>(peers.keySet())));
    }
}
