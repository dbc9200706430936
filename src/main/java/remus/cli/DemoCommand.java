package remus.cli;

import java.io.PrintWriter;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;
import remus.api.Json;
import remus.base.DurationText;
import remus.base.RemusException;

@CommandLine.Command(
        name = "demo",
        header = "Show it: two hosts, a protected VM, kills, and a client that goes on.",
        description = {
            "",
            "Sets everything up by itself: network namespaces, two daemons and a VM with Debian's kernel and "
                    + "redis-server, or a Debian with PostgreSQL on a disk. A client on one TCP connection writes and checks what it wrote, while the host under "
                    + "the VM is killed at random moments. Ends with 0 only if no acknowledged write was lost and the "
                    + "connection never broke. Leaves nothing behind.",
            "",
            "With --scenario partition nobody is killed: an arbiter is added, and the two hosts and the arbiter are cut off "
                    + "from each other in four ways, while the client reaches both hosts. Told is who asks for the VM, who "
                    + "gets it in which term, and who is fenced; ends with 0 only if there was one owner at any time and "
                    + "nothing was lost.",
            ""
        },
        footer = {
            "",
            "Example:",
            "  remus demo --guest postgres --rounds 20 --kill power",
            "  remus demo --scenario partition"
        })
final class DemoCommand extends Command {
    private static final Duration CLEAN_UP_LIMIT = Duration.ofSeconds(30);

    @Option(
            names = "--rounds",
            paramLabel = "N",
            converter = RoundsOption.class,
            description = "How many kills, or cuts; default: 6 kills, 4 cuts.")
    private @Nullable Integer rounds;

    @Option(
            names = "--scenario",
            paramLabel = "failover|partition",
            converter = ScenarioOption.class,
            description = "failover (default): hosts die; partition: hosts and their arbiter can't hear each other.")
    private Scenario scenario = Scenario.FAILOVER;

    @Option(
            names = "--kill",
            paramLabel = "mixed|process|power",
            converter = KillsOption.class,
            description =
                    "How the host dies. process: daemon and QEMU are killed; power: its link goes down at the same "
                            + "instant; mixed (default): in turn.")
    private @Nullable Kills kills;

    @Option(
            names = "--detect",
            paramLabel = "DURATION",
            converter = DurationOption.class,
            description = "Silence after which the backup takes over; default: 100ms.")
    private String detect = "100ms";

    @Option(
            names = "--guest",
            paramLabel = "redis|postgres",
            converter = GuestOption.class,
            description =
                    "What runs in the VM. redis (default): in memory, no disk; postgres: a database on a disk, which is "
                            + "replicated too; at the end amcheck and fsck look at it.")
    private DemoApplication.Kind guest = DemoApplication.Kind.REDIS;

    @Option(names = "--keep", description = "Leave it running at the end, until Ctrl-C.")
    private boolean keep;

    @Option(names = "--json", description = "Print the report as one JSON document, and progress on stderr.")
    private boolean json;

    @Spec
    private @Nullable CommandSpec spec;

    /** What is shown. */
    enum Scenario {
        FAILOVER,
        PARTITION
    }

    /** The kinds of kill to be used in turn. */
    enum Kills {
        MIXED,
        PROCESS,
        POWER;

        List<KillKind> inTurn() {
            return switch (this) {
                case MIXED -> List.of(KillKind.PROCESS, KillKind.POWER);
                case PROCESS -> List.of(KillKind.PROCESS);
                case POWER -> List.of(KillKind.POWER);
            };
        }
    }

    DemoCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    void run() throws RemusException {
        if (scenario == Scenario.PARTITION && (kills != null || guest != DemoApplication.Kind.REDIS || keep)) {
            throw new ParameterException(
                    Objects.requireNonNull(spec).commandLine(),
                    "--scenario partition kills nobody, has a guest with Redis and ends by itself: leave out --kill, --guest and --keep");
        }
        DemoStage stage = new DemoStage(terminal());
        Interruption interruption = new Interruption(stage);
        Runtime.getRuntime().addShutdownHook(new Thread(interruption::end, "demo-clean-up"));
        try {
            show(stage);
        } catch (InterruptedException | RemusException e) {
            if (interruption.came()) {
                return; // and whatever failed, failed because of that
            }
            if (e instanceof RemusException failure) {
                throw failure;
            }
            throw new CommandException("the demo was interrupted", e);
        } finally {
            stage.close();
            interruption.runnerIsDone();
        }
    }

    private void show(DemoStage stage) throws RemusException, InterruptedException {
        PrintWriter shown = json ? terminal().err() : terminal().out();
        DemoDisplay display = new DemoDisplay(
                shown,
                guest.writes(),
                json ? terminal().errIsTerminal() : terminal().outIsTerminal());
        Outcome outcome = switch (scenario) {
            case FAILOVER -> {
                DemoReport report = failover(stage, display);
                yield new Outcome(report, report.passed());
            }
            case PARTITION -> {
                PartitionReport report = new PartitionDemo(
                                stage, display, roundsOr(4), DurationText.parse(detect), System.nanoTime())
                        .run();
                yield new Outcome(report, report.passed());
            }
        };
        if (json) {
            print(Json.write(outcome.report()));
        }
        if (keep) {
            new CountDownLatch(1).await();
        }
        if (!outcome.passed()) {
            throw new CommandException("the demo failed: see above");
        }
    }

    /** @param report its components are the keys of the JSON document */
    private record Outcome(Object report, boolean passed) {}

    private DemoReport failover(DemoStage stage, DemoDisplay display) throws RemusException, InterruptedException {
        Kills chosen = kills == null ? Kills.MIXED : kills;
        Demo.Plan plan =
                new Demo.Plan(guest, roundsOr(6), chosen.inTurn(), DurationText.parse(detect), keep, System.nanoTime());
        return new Demo(plan, display, stage).run();
    }

    private int roundsOr(int usual) {
        return rounds == null ? usual : rounds;
    }

    /**
     * Ctrl-C comes at any moment, and what was made until then has to go: the thread that runs the demo is interrupted, so
     * that it makes nothing more, and the process ends when that thread has cleaned up.
     */
    private final class Interruption {
        private final DemoStage stage;
        private final Thread runner = Thread.currentThread();
        private final CountDownLatch done = new CountDownLatch(1);
        private volatile boolean came;

        Interruption(DemoStage stage) {
            this.stage = stage;
        }

        boolean came() {
            return came;
        }

        void runnerIsDone() {
            done.countDown();
        }

        /** The process ends: by a signal, or because the command is done. */
        void end() {
            if (done.getCount() == 0) {
                return;
            }
            came = true;
            terminal().err().println();
            terminal().err().println("remus: interrupted: taking everything down");
            terminal().err().flush();
            runner.interrupt();
            try {
                if (!done.await(CLEAN_UP_LIMIT.toNanos(), TimeUnit.NANOSECONDS)) {
                    stage.close();
                }
            } catch (InterruptedException e) {
                stage.close();
            }
        }
    }

    static final class KillsOption implements ITypeConverter<Kills> {
        @Override
        public Kills convert(String text) {
            for (Kills kills : Kills.values()) {
                if (kills.name().equalsIgnoreCase(text)) {
                    return kills;
                }
            }
            throw new TypeConversionException("'%s' is none of mixed, process and power".formatted(text));
        }
    }

    static final class ScenarioOption implements ITypeConverter<Scenario> {
        @Override
        public Scenario convert(String text) {
            for (Scenario scenario : Scenario.values()) {
                if (scenario.name().toLowerCase(Locale.ROOT).equals(text)) {
                    return scenario;
                }
            }
            throw new TypeConversionException("'%s' is none of failover and partition".formatted(text));
        }
    }

    static final class GuestOption implements ITypeConverter<DemoApplication.Kind> {
        @Override
        public DemoApplication.Kind convert(String text) {
            for (DemoApplication.Kind kind : DemoApplication.Kind.values()) {
                if (kind.toString().equals(text)) {
                    return kind;
                }
            }
            throw new TypeConversionException("'%s' is none of redis and postgres".formatted(text));
        }
    }

    static final class RoundsOption implements ITypeConverter<Integer> {
        @Override
        public Integer convert(String text) {
            if (!text.matches("[1-9]\\d{0,5}")) {
                throw new TypeConversionException("'%s' is not a number of rounds, from 1 on".formatted(text));
            }
            return Integer.valueOf(text);
        }
    }
}
