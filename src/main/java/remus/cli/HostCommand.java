package remus.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;
import remus.base.HostAddress;
import remus.base.RemusException;
import remus.host.HostConfiguration;
import remus.host.HostLauncher;
import remus.host.HostSettings;

@CommandLine.Command(
        name = "host",
        header = "Run this machine's host daemon, in the foreground.",
        description = {
            "",
            "It runs VMs and is the backup of other hosts' VMs, any number of each. SIGTERM ends its VMs in order, or leaves"
                    + " them running with --keep-vms. VMs that a killed daemon has left running are adopted.",
            ""
        },
        footer = {
            "",
            "Example: two hosts on one machine",
            "  remus host --name alpha --state /var/lib/remus/alpha",
            "  remus host --name beta --state /var/lib/remus/beta \\",
            "      --listen 0.0.0.0:7520 --api 127.0.0.1:7521"
        })
final class HostCommand extends Command {
    @Option(
            names = "--name",
            paramLabel = "NAME",
            converter = NameConverter.class,
            description = "What other hosts and 'status' call this one: a-z, 0-9 and -.")
    private @Nullable String name;

    @Option(
            names = "--listen",
            paramLabel = "ADDR:PORT",
            converter = ListenConverter.class,
            description = "Where other hosts replicate to; default: 0.0.0.0:7420.")
    private @Nullable HostAddress listen;

    @Option(
            names = "--api",
            paramLabel = "ADDR:PORT",
            converter = ApiOption.Converter.class,
            description = "Where commands arrive; default: 127.0.0.1:7421. Whoever reaches it controls the VMs.")
    private @Nullable HostAddress api;

    @Option(
            names = "--state",
            paramLabel = "DIR",
            description = "Directory of this daemon's own; made when it does not exist.")
    private @Nullable Path state;

    @Option(
            names = "--config",
            paramLabel = "FILE",
            description =
                    "YAML file with the keys name, listen, api, state, arbiter, arbiterCredential, keepVms, realTime and peers; options go before it.")
    private @Nullable Path config;

    @Option(
            names = "--arbiter",
            paramLabel = "ARBITER",
            converter = ArbiterConverter.class,
            description = {
                "Who decides which host owns a VM: none (default: each host by its own failure detector),"
                        + " zookeeper:HOST:PORT[,HOST:PORT...], or embedded[:PORT], a server in this process for trying"
                        + " things out."
            })
    private @Nullable String arbiter;

    @Option(
            names = "--arbiter-credential",
            paramLabel = "FILE",
            description = "One line USER:SECRET, who this host is to ZooKeeper; readable by its owner only.")
    private @Nullable Path arbiterCredential;

    @Option(
            names = "--keep-vms",
            description = {
                "At SIGTERM end protections in good order but leave the VMs running, for the next start to adopt;"
                        + " until then they have no network and their disks wait. Without it SIGTERM stops them."
            },
            arity = "0")
    private @Nullable Boolean keepVms;

    @Option(
            names = "--no-real-time",
            description = {
                "What the pauses of protected VMs wait for, some threads of this daemon and of QEMU, runs as any other thread."
                        + " Without it they have real-time priority where the system allows that, for shorter pauses on busy"
                        + " processors."
            },
            arity = "0")
    private boolean noRealTime;

    @Option(
            names = "--peers",
            paramLabel = "NAME=ADDR:PORT",
            split = ",",
            converter = {NameConverter.class, ListenConverter.class},
            description = "Replication addresses of other hosts, by the names that VM definitions use.")
    private Map<String, HostAddress> peers = new LinkedHashMap<>();

    @Spec
    private @Nullable CommandSpec spec;

    HostCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    void run() throws RemusException {
        HostLauncher.run(configuration());
    }

    private HostConfiguration configuration() throws RemusException {
        Boolean realTime = noRealTime ? false : null;
        HostSettings settings =
                new HostSettings(name, listen, api, state, arbiter, arbiterCredential, keepVms, realTime, peers);
        Path file = config;
        if (file != null) {
            String text = TextFile.read(file, HostSettings.MAX_CHARS, "--config");
            settings = settings.orElse(HostSettings.parse(text, parentOf(file)));
        }
        if (settings.name() == null) {
            throw usage("add --name NAME, or 'name' to the --config file");
        }
        if (settings.state() == null) {
            throw usage("add --state DIR, or 'state' to the --config file");
        }
        return settings.complete();
    }

    private ParameterException usage(String message) {
        return new ParameterException(Objects.requireNonNull(spec).commandLine(), message);
    }

    private static Path parentOf(Path file) {
        Path parent = file.toAbsolutePath().normalize().getParent();
        return parent == null ? Path.of("/") : parent;
    }

    static final class NameConverter implements ITypeConverter<String> {
        @Override
        public String convert(String text) {
            return converted(() -> HostSettings.checkedName(text));
        }
    }

    static final class ArbiterConverter implements ITypeConverter<String> {
        @Override
        public String convert(String text) {
            return converted(() -> HostSettings.checkedArbiter(text));
        }
    }

    static final class ListenConverter implements ITypeConverter<HostAddress> {
        @Override
        public HostAddress convert(String text) {
            return converted(() -> HostSettings.listenAddress(text));
        }
    }

    private static <T> T converted(Supplier<T> value) {
        try {
            return value.get();
        } catch (IllegalArgumentException e) {
            throw new TypeConversionException(e.getMessage());
        }
    }
}
