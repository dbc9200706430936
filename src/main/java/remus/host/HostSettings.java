package remus.host;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import remus.availability.ArbiterChoice;
import remus.base.HostAddress;
import remus.host.OperationException.Kind;

/**
 * What somebody said about a host's set-up, on the command line or in a file: any part may be missing. The keys of
 * the file are the long options: {@code name, listen, api, state, arbiter, arbiterCredential, keepVms, realTime, peers}.
 *
 * @param arbiter as {@link ArbiterChoice#parse} reads it
 * @param keepVms as {@link HostConfiguration} has it
 * @param realTime as {@link HostConfiguration} has it
 * @param peers empty when nothing is said
 */
public record HostSettings(
        @Nullable String name,
        @Nullable HostAddress listen,
        @Nullable HostAddress api,
        @Nullable Path state,
        @Nullable String arbiter,
        @Nullable Path arbiterCredential,
        @Nullable Boolean keepVms,
        @Nullable Boolean realTime,
        Map<String, HostAddress> peers) {
    /** Longest configuration file, in characters. */
    public static final int MAX_CHARS = 64 << 10;

    private static final String WHAT = "host configuration";

    public HostSettings {
        peers = Map.copyOf(peers);
    }

    /**
     * Reads a configuration file; a relative {@code state} starts from {@code baseDirectory}.
     *
     * @throws OperationException naming every problem
     */
    public static HostSettings parse(String text, Path baseDirectory) throws OperationException {
        StrictYaml yaml = StrictYaml.parse(WHAT, text, MAX_CHARS);
        String name = yaml.value("name", HostSettings::checkedName);
        HostAddress listen = yaml.value("listen", HostSettings::listenAddress);
        HostAddress api = yaml.value("api", HostSettings::apiAddress);
        Path state = yaml.value("state", baseDirectory::resolve);
        String arbiter = yaml.value("arbiter", HostSettings::checkedArbiter);
        Path credential = yaml.value("arbiterCredential", baseDirectory::resolve);
        Boolean keepVms = yaml.value("keepVms", HostSettings::yesOrNo);
        Boolean realTime = yaml.value("realTime", HostSettings::yesOrNo);
        Map<String, HostAddress> peers = new HashMap<>();
        StrictYaml peersYaml = yaml.mapping("peers");
        if (peersYaml != null) {
            peersYaml.allTexts().keySet().forEach(peer -> {
                HostAddress address = peersYaml.value(peer, HostSettings::listenAddress);
                if (!HostConfiguration.NAME.matcher(peer).matches()) {
                    peersYaml.refuse(peer, "is not a host's name: 1 to 40 characters of a-z, 0-9 and -");
                } else if (address != null) {
                    peers.put(peer, address);
                }
            });
        }
        yaml.end();
        yaml.refuseProblems(WHAT);
        return new HostSettings(name, listen, api, state, arbiter, credential, keepVms, realTime, peers);
    }

    /** @throws IllegalArgumentException saying what a name looks like */
    public static String checkedName(String text) {
        if (!HostConfiguration.NAME.matcher(text).matches()) {
            throw new IllegalArgumentException(
                    StrictYaml.shown(text) + " is not a name: write 1 to 40 characters of a-z, 0-9 and -");
        }
        return text;
    }

    private static Boolean yesOrNo(String text) {
        return switch (text) {
            case "true" -> true;
            case "false" -> false;
            default -> throw new IllegalArgumentException(StrictYaml.shown(text) + " is neither true nor false");
        };
    }

    /** @throws IllegalArgumentException saying what an arbiter looks like */
    public static String checkedArbiter(String text) {
        Objects.requireNonNull(ArbiterChoice.parse(text));
        return text;
    }

    /** @throws IllegalArgumentException saying what an address looks like */
    public static HostAddress listenAddress(String text) {
        return HostAddress.parse(text, HostConfiguration.DEFAULT_LISTEN_PORT);
    }

    /** @throws IllegalArgumentException saying what an address looks like */
    public static HostAddress apiAddress(String text) {
        return HostAddress.parse(text, HostConfiguration.DEFAULT_API_PORT);
    }

    /** These settings, and {@code others} where they say nothing. */
    public HostSettings orElse(HostSettings others) {
        return new HostSettings(
                name == null ? others.name : name,
                listen == null ? others.listen : listen,
                api == null ? others.api : api,
                state == null ? others.state : state,
                arbiter == null ? others.arbiter : arbiter,
                arbiterCredential == null ? others.arbiterCredential : arbiterCredential,
                keepVms == null ? others.keepVms : keepVms,
                realTime == null ? others.realTime : realTime,
                peers.isEmpty() ? others.peers : peers);
    }

    /** @throws OperationException naming what is missing */
    public HostConfiguration complete() throws OperationException {
        if (name == null || state == null) {
            throw new OperationException(
                    Kind.REFUSED,
                    "host: %s is not given".formatted(name == null ? "its name" : "its state directory"),
                    name == null
                            ? "add --name NAME, or 'name' to the --config file"
                            : "add --state DIR, or 'state' to the --config file");
        }
        ArbiterChoice choice = arbiter == null ? new ArbiterChoice.None() : ArbiterChoice.parse(arbiter);
        if (arbiterCredential != null && !(choice instanceof ArbiterChoice.Ensemble)) {
            throw new OperationException(
                    Kind.REFUSED,
                    "host: an arbiter credential is given, but the arbiter is " + choice,
                    "a credential is for zookeeper:… only; leave it out");
        }
        return new HostConfiguration(
                name,
                listen == null ? HostConfiguration.DEFAULT_LISTEN : listen,
                api == null ? HostConfiguration.DEFAULT_API : api,
                state.toAbsolutePath().normalize(),
                choice,
                arbiterCredential,
                keepVms != null && keepVms,
                realTime == null || realTime,
                peers);
    }
}
