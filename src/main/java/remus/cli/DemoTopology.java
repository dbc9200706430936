package remus.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The demo's network: six namespaces on one bridge, and nothing outside of them.
 *
 * <pre>
 *   client  10.77.0.1/24   bridge sw0 ─┬─ alpha   ═ up0 ─ bridge br0   alpha    10.77.0.11/24
 *                                      ├─ beta    ═ up0 ─ bridge br0   beta     10.77.0.12/24
 *                                      ├─ gamma   ═ up0 ─ bridge br0   gamma    10.77.0.13/24
 *                                      ├─ delta   ═ up0 ─ bridge br0   delta    10.77.0.14/24
 *                                      └─ arbiter ═ up0 ─ bridge br0   arbiter  10.77.0.21/24
 * </pre>
 *
 * A VM's TAP joins {@code br0} of the host that runs it. Pulling a host's cable takes down the bridge's end of it.
 * Namespaces carry this process's id in their names, so several demos run side by side, and the link of every
 * {@code up0} exists in both its namespaces only: with the namespaces all of it goes. {@link #close} takes down
 * whatever was made, also after a failure half-way; it may be called by any thread, at any time.
 */
final class DemoTopology implements AutoCloseable {
    /** Bridge of each host, for VM definitions. */
    static final String HOST_BRIDGE = "br0";

    /** The bridge in the client's namespace that joins them all. */
    static final String SWITCH = "sw0";

    /** Prefix length of all addresses. */
    static final int PREFIX_LENGTH = 24;

    private static final Path NAMESPACES = Path.of("/run/netns");

    /** One of the namespaces. */
    enum Place {
        CLIENT("10.77.0.1", "02:52:4d:00:00:01"),
        ALPHA("10.77.0.11", "02:52:4d:00:00:0b"),
        BETA("10.77.0.12", "02:52:4d:00:00:0c"),
        GAMMA("10.77.0.13", "02:52:4d:00:00:0d"),
        DELTA("10.77.0.14", "02:52:4d:00:00:0e"),
        ARBITER("10.77.0.21", "02:52:4d:00:00:15");

        /** All that have a cable to the bridge. */
        static final List<Place> CABLED = List.of(ALPHA, BETA, GAMMA, DELTA, ARBITER);

        private final String address;
        private final String bridgeMac;

        Place(String address, String bridgeMac) {
            this.address = address;
            this.bridgeMac = bridgeMac;
        }

        /** Its IPv4 address. */
        String address() {
            return address;
        }

        /** The address that its own frames come from; a VM's have the VM's. */
        String mac() {
            return bridgeMac;
        }

        /** Its name, which is also that of its cable at the bridge. */
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private final String prefix;
    private final Set<Place> made = EnumSet.noneOf(Place.class);
    private @Nullable IpSession cables;

    private DemoTopology(String prefix) {
        this.prefix = prefix;
    }

    /** @throws CommandException saying what is missing; nothing is left behind then */
    static DemoTopology create() throws CommandException {
        DemoTopology topology =
                new DemoTopology("remus" + ProcessHandle.current().pid());
        try {
            topology.make();
            return topology;
        } catch (CommandException e) {
            topology.closeAfter(e);
            throw e;
        }
    }

    private void make() throws CommandException {
        for (Place place : Place.values()) {
            // A namespace of somebody else's must not be taken for one that this made, and be removed.
            if (Files.exists(namespaceFile(place))) {
                throw new CommandException("network namespace %s: File exists".formatted(namespace(place)));
            }
            made.add(place); // also if it is made and then something comes in between
            IpSession.run(null, List.of("netns add " + namespace(place)));
        }
        IpSession.run(namespace(Place.CLIENT), clientCommands());
        for (Place host : Place.CABLED) {
            IpSession.run(namespace(host), hostCommands(host));
        }
        cables = IpSession.open(namespace(Place.CLIENT));
    }

    private List<String> clientCommands() {
        List<String> commands = new ArrayList<>(bridge(SWITCH, Place.CLIENT));
        for (Place host : Place.CABLED) {
            commands.add("link add %s type veth peer name up0 netns %s".formatted(host, namespace(host)));
            commands.addAll(port(host.toString(), SWITCH));
        }
        return commands;
    }

    private static List<String> hostCommands(Place host) {
        List<String> commands = new ArrayList<>(bridge(HOST_BRIDGE, host));
        commands.addAll(port("up0", HOST_BRIDGE));
        return commands;
    }

    /** With a fixed address: otherwise it changes with the first TAP that joins, and the neighbours' caches are wrong. */
    private static List<String> bridge(String name, Place place) {
        return List.of(
                "link set lo up",
                "link add %s address %s type bridge stp_state 0 mcast_snooping 0".formatted(name, place.bridgeMac),
                "link set %s addrgenmode none".formatted(name),
                "link set %s up".formatted(name),
                "address add %s/%d dev %s".formatted(place.address(), PREFIX_LENGTH, name));
    }

    private static List<String> port(String device, String bridge) {
        return List.of(
                "link set %s addrgenmode none".formatted(device),
                "link set %s master %s".formatted(device, bridge),
                "link set %s up".formatted(device));
    }

    /** The name that {@code ip netns} knows it by. */
    String namespace(Place place) {
        return prefix + "-" + place;
    }

    /** The file that stands for the namespace, for setns(2). */
    Path namespaceFile(Place place) {
        return NAMESPACES.resolve(namespace(place));
    }

    /** The command that runs {@code command} there; the process it starts becomes that command. */
    List<String> inside(Place place, List<String> command) {
        List<String> all = new ArrayList<>(List.of("ip", "netns", "exec", namespace(place)));
        all.addAll(command);
        return all;
    }

    /** Pulls the host's cable: it takes effect within a millisecond. */
    Moment pullCable(Place host) throws CommandException {
        return switchCable(host, "down");
    }

    void plugCable(Place host) throws CommandException {
        switchCable(host, "up");
    }

    private synchronized Moment switchCable(Place host, String state) throws CommandException {
        IpSession session = cables;
        if (session == null || host == Place.CLIENT) {
            throw new IllegalArgumentException("there is no cable of " + host);
        }
        Moment now = Moment.now();
        session.send("link set %s %s".formatted(host, state));
        return now;
    }

    /** How a person gets inside, to look at what {@code --keep} left. */
    String shellHint(Place place) {
        return "ip netns exec %s bash".formatted(namespace(place));
    }

    @Override
    public synchronized void close() throws CommandException {
        // Whoever was interrupted must be able to clean up all the same.
        boolean interrupted = Thread.interrupted();
        try {
            removeAll();
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void removeAll() throws CommandException {
        if (cables != null) {
            cables.close();
            cables = null;
        }
        @Nullable CommandException first = null;
        for (Place place : Place.values()) {
            try {
                remove(place);
            } catch (CommandException e) {
                if (first == null) {
                    first = e;
                } else {
                    first.addSuppressed(e);
                }
            }
        }
        if (first != null) {
            throw first;
        }
    }

    private void remove(Place place) throws CommandException {
        if (made.remove(place) && Files.exists(namespaceFile(place))) {
            IpSession.run(null, List.of("netns delete " + namespace(place)));
        }
    }

    private void closeAfter(CommandException failure) {
        try {
            close();
        } catch (CommandException e) {
            failure.addSuppressed(e);
        }
    }
}
