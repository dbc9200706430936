package remus.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import remus.base.RemusException;

/** What all commands have: somewhere to write, and {@code --help}. */
abstract class Command implements Callable<Integer> {
    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Show this help and end.")
    @SuppressWarnings("UnusedVariable") // picocli acts on it.
    private boolean help;

    private final Terminal terminal;

    Command(Terminal terminal) {
        this.terminal = terminal;
    }

    final Terminal terminal() {
        return terminal;
    }

    /** Writes a line of the result. */
    final void print(String line) {
        terminal.out().println(line);
    }

    abstract void run() throws RemusException;

    @Override
    public final Integer call() throws RemusException {
        run();
        return CommandLine.ExitCode.OK;
    }

    /** A command that asks a host daemon. */
    abstract static class OfApi extends Command {
        @Mixin
        private final ApiOption api = new ApiOption();

        OfApi(Terminal terminal) {
            super(terminal);
        }

        final ApiClient client() {
            return api.client();
        }
    }
}
