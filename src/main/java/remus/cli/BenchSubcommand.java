package remus.cli;

import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import remus.api.Json;
import remus.base.RemusException;
import remus.bench.BenchReport;

/**
 * What the benches have in common: settings that are refused as wrong usage, a line of progress, and a report as a table or
 * as JSON.
 *
 * @param <S> what is to be measured
 * @param <C> one measured case
 */
abstract class BenchSubcommand<S, C> extends Command {
    @Option(names = "--json", description = "Print one JSON document.")
    private boolean json;

    @CommandLine.Spec
    private CommandLine.Model.@Nullable CommandSpec spec;

    BenchSubcommand(Terminal terminal) {
        super(terminal);
    }

    /** @throws IllegalArgumentException saying what can't be measured */
    abstract S settings();

    /** @param progress is told what goes on, for people */
    abstract BenchReport<C> measure(S settings, Consumer<String> progress) throws RemusException;

    /** The report as people read it. */
    abstract String table(BenchReport<C> report);

    /** Looks at what is needed to {@link #keep} the report, before anything is measured. */
    void checkPlace() throws RemusException {}

    /** Puts the report elsewhere, too. */
    void keep(BenchReport<C> report) throws RemusException {}

    @Override
    final void run() throws RemusException {
        S settings = acceptedSettings();
        checkPlace();
        ProgressLine progress = new ProgressLine(terminal());
        BenchReport<C> report;
        try {
            report = measure(settings, progress::show);
        } finally {
            progress.end();
        }
        print(json ? Json.write(report) : table(report));
        keep(report);
    }

    private S acceptedSettings() {
        try {
            return settings();
        } catch (IllegalArgumentException e) {
            throw new ParameterException(Objects.requireNonNull(spec).commandLine(), String.valueOf(e.getMessage()), e);
        }
    }
}
