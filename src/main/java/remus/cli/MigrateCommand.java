package remus.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import remus.api.Json;
import remus.api.MigrationStage;
import remus.api.MigrationStatus;

@CommandLine.Command(
        name = "migrate",
        header = "Move a running VM to another host.",
        description = {
            "",
            "Memory and disks are copied while the guest runs, then again what it has written meanwhile, round by round, "
                    + "until what is left is little; for that it stands still, and goes on at the destination with its "
                    + "connections. Until it runs there it is not given up here: whatever fails of link and destination, it "
                    + "runs on one of the two.",
            "",
            "Says first what is going to happen, and how it ends with a guest that writes faster than it can be copied. "
                    + "Ends when the VM runs there, with what each round did. Interrupting the command leaves the host "
                    + "going on: --watch shows the migration again, or the last one, and --cancel ends it.",
            ""
        },
        footer = {
            "",
            "Example:",
            "  remus migrate shop --to 192.0.2.7:7420",
            "  remus migrate shop --to beta --max-downtime 30ms --auto-converge",
            "  remus migrate shop --watch --plot shop.svg"
        })
final class MigrateCommand extends Command {
    @Mixin
    private final ApiOption api = new ApiOption();

    @Mixin
    private final MigrationOptions options = new MigrationOptions();

    @Parameters(paramLabel = "VM", description = "The VM's name.")
    private String vm = "";

    @Option(names = "--watch", description = "Show the migration that goes on until it ends, or how the last one went.")
    private boolean watch;

    @Option(names = "--cancel", description = "End the migration that goes on; the VM runs on where it is.")
    private boolean cancel;

    @Option(names = "--json", description = "Print one JSON document: what became of it, with every round.")
    private boolean json;

    @Option(
            names = "--plot",
            paramLabel = "FILE.svg",
            description = "Draw its rounds and the writable working set into this file.")
    private @Nullable Path plot;

    @Spec
    private @Nullable CommandSpec spec;

    MigrateCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    void run() throws CommandException {
        check();
        if (plot != null) {
            PlotFile.check(plot);
        }
        MigrationWait wait = new MigrationWait(api, terminal(), vm, apiWords());
        if (cancel) {
            tellCancelled(wait.untilEnd(api.client().delete(MigrationWait.path(vm), MigrationStatus.class)));
            return;
        }
        MigrationStatus first = watch
                ? api.client().get(MigrationWait.path(vm), MigrationStatus.class)
                : api.client().post(VmPath.verb(vm, "migrate"), options.request(), MigrationStatus.class);
        tellPlan(first);
        tell(wait.untilEnd(first));
    }

    private void check() {
        CommandLine command = Objects.requireNonNull(spec).commandLine();
        if (!watch && !cancel) {
            if (options.request().to() == null) {
                throw new ParameterException(
                        command, "where to? Add --to ADDR:PORT, or --watch or --cancel for a migration that goes on");
            }
            options.check(command);
            return;
        }
        List<String> given = new ArrayList<>(MigrationOptions.given(command));
        if (cancel && watch) {
            given.add("--watch");
        }
        if (cancel && plot != null) {
            given.add("--plot");
        }
        if (!given.isEmpty()) {
            throw new ParameterException(
                    command,
                    "%s is about a migration that goes on: leave out %s"
                            .formatted(cancel ? "--cancel" : "--watch", String.join(", ", given)));
        }
    }

    /** What has to be added to a command line so that it asks the same host. */
    private String apiWords() {
        return Objects.requireNonNull(spec).commandLine().getParseResult().hasMatchedOption("--api")
                ? " --api " + api.address()
                : "";
    }

    private void tellPlan(MigrationStatus status) {
        List<String> lines = MigrationText.plan(status);
        if (json) {
            lines.forEach(terminal().err()::println);
        } else {
            lines.forEach(this::print);
            terminal().out().flush();
        }
    }

    private void tell(MigrationStatus last) throws CommandException {
        if (json) {
            print(Json.write(last));
        } else {
            MigrationText.report(last).forEach(this::print);
        }
        List<String> problems = new ArrayList<>(MigrationText.problems(last));
        if (plot != null) {
            try {
                PlotFile.write(plot, MigrationPlot.of(last));
            } catch (CommandException e) {
                problems.add("%s; 'remus migrate %s --watch --plot FILE.svg%s' draws it anew"
                        .formatted(e.getMessage(), vm, apiWords()));
            }
        }
        if (!problems.isEmpty()) {
            throw new CommandException(String.join("; ", problems));
        }
    }

    private void tellCancelled(MigrationStatus last) throws CommandException {
        if (json) {
            print(Json.write(last));
        }
        if (last.stage() == MigrationStage.DONE) {
            throw new CommandException(
                    "it was too late to cancel the migration of VM '%s': it runs on %s; 'remus migrate' there brings it back"
                            .formatted(vm, last.to()));
        }
        if (!json) {
            print("VM %s runs on here, on %s: %s".formatted(vm, last.from(), MigrationText.reason(last)));
        }
    }
}
