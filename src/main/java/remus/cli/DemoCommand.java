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
            "",
            "With --scenario many, 8 small VMs run on three hosts, all backed up by a fourth one every 100 ms, each with a "
                    + "client of its own; then the three hosts die at the same instant, and the backup goes on with all "
                    + "eight. In a further round the dead hosts come back empty, the backup protects each VM onto its former "
                    + "host by itself, a switchover brings it back there, and the three die again. The guests boot one after "
                    + "the other, so with software emulation on 2 processors this takes some three minutes; 6 GiB of memory "
                    + "are needed, 2 GiB of them on /dev/shm.",
            "",
            "With --scenario chain, there are three hosts and one VM: alpha dies, beta goes on with it and protects it by gamma "
                    + "by itself, alpha comes back empty, beta dies, and so on. A round is over when the VM is back on alpha, "
                    + "after three kills and some 40 s.",
            "",
            "Both end with 0 only if also nothing leaked: QEMUs, TAPs, files on tmpfs, file descriptors, guest memory mapped and "
                    + "memory off the daemons' heaps are counted on each host, with no VM and with all protected, before "
                    + "and after. A host that was killed has a new daemon when it is counted again.",
            ""
        },
        footer = {
            "",
            "Example:",
            "  remus demo --guest postgres --rounds 20 --kill power",
            "  remus demo --scenario partition",
            "  remus demo --scenario many",
            "  remus demo --scenario chain --rounds 10"
        })
final class DemoCommand extends Command {
    private static final Duration CLEAN_UP_LIMIT = Duration.ofSeconds(30);

    @Option(
            names = "--rounds",
            paramLabel = "N",
            converter = RoundsOption.class,
            description = "How many kills, cuts or rounds; default: 6 kills, 4 cuts, 1 round of many, 3 of chain.")
    private @Nullable Integer rounds;

    @Option(
            names = "--scenario",
            paramLabel = "failover|partition|many|chain",
            converter = ScenarioOption.class,
            description =
                    "failover (default): hosts die; partition: hosts and their arbiter can't hear each other; many: "
                            + "one backup for many VMs, whose hosts die together; chain: from host to host as they die.")
    private Scenario scenario = Scenario.FAILOVER;

    @Option(
            names = "--kill",
            paramLabel = "mixed|process|power",
            converter = KillsOption.class,
            description =
                    "How the host dies. process: daemon and QEMU are killed; power: its link goes down at the same "
                            + "instant; mixed (default): in turn, in many from host to host.")
    private @Nullable Kills kills;

    @Option(
            names = "--detect",
            paramLabel = "DURATION",
            converter = DurationOption.class,
            description = "Silence after which the backup takes over; default: 100ms, of many 1s, of chain 500ms.")
    private @Nullable String detect;

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
        FAILOVER("100ms", 6),
        PARTITION("100ms", 4),
        /** Many guests share few processors: what is short for one is a host's death for eight. */
        MANY("1s", 1),
        CHAIN("500ms", 3);

        private final String detect;
        private final int rounds;

        Scenario(String detect, int rounds) {
            this.detect = detect;
            this.rounds = rounds;
        }
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
        switch (scenario) {
            case FAILOVER -> {}
            case PARTITION ->
                refuse(
                        kills != null || guest != DemoApplication.Kind.REDIS || keep,
                        "--scenario partition kills nobody, has a guest with Redis and ends by itself: leave out --kill, --guest and --keep");
            case MANY, CHAIN ->
                refuse(
                        guest != DemoApplication.Kind.REDIS || keep,
                        "--scenario %s has guests with Redis and ends by itself: leave out --guest and --keep"
                                .formatted(scenario.name().toLowerCase(Locale.ROOT)));
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

    private void refuse(boolean wrong, String why) {
        if (wrong) {
            throw new ParameterException(Objects.requireNonNull(spec).commandLine(), why);
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
                PartitionReport report = new PartitionDemo(stage, display, rounds(), detect(), System.nanoTime()).run();
                yield new Outcome(report, report.passed());
            }
            case MANY -> {
                ManyDemo.Plan plan = new ManyDemo.Plan(
                        ManyDemo.USUAL_VMS,
                        ManyDemo.USUAL_PRIMARIES,
                        rounds(),
                        kills().inTurn(),
                        detect(),
                        System.nanoTime());
                ScenarioReport report = new ManyDemo(plan, display, stage).run();
                yield new Outcome(report, report.passed());
            }
            case CHAIN -> {
                ChainDemo.Plan plan = new ChainDemo.Plan(rounds(), kills().inTurn(), detect(), System.nanoTime());
                ScenarioReport report = new ChainDemo(plan, display, stage).run();
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
        Demo.Plan plan = new Demo.Plan(guest, rounds(), kills().inTurn(), detect(), keep, System.nanoTime());
        return new Demo(plan, display, stage).run();
    }

    private int rounds() {
        return rounds == null ? scenario.rounds : rounds;
    }

    private Kills kills() {
        return kills == null ? Kills.MIXED : kills;
    }

    private Duration detect() {
        return DurationText.parse(detect == null ? scenario.detect : detect);
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
            throw new TypeConversionException("'%s' is none of failover, partition, many and chain".formatted(text));
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
