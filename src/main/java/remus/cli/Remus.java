package remus.cli;

import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;
import remus.base.Release;
import remus.base.RemusException;

/**
 * The command line. Exit codes: 0 done; 1 refused or failed, with one line on stderr that says what, why and what to
 * do; 2 wrong usage, with one line that says what and where the help is.
 */
@CommandLine.Command(
        name = "remus",
        versionProvider = Remus.Version.class,
        synopsisSubcommandLabel = "COMMAND",
        description = {
            "High availability for unmodified virtual machines on stock QEMU: every few milliseconds the VM's state "
                    + "goes to a second host, which takes over when the first one fails, and clients notice nothing "
                    + "but a short stall.",
            ""
        },
        commandListHeading = "%nCommands:%n",
        footer = {"", "'remus COMMAND --help' tells more about a command."})
public final class Remus {
    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Show this help and end.")
    @SuppressWarnings("UnusedVariable") // picocli acts on it.
    private boolean help;

    @Option(names = "--version", versionHelp = true, description = "Show the version and end.")
    @SuppressWarnings("UnusedVariable") // picocli acts on it.
    private boolean version;

    private Remus() {}

    public static void main(String[] arguments) {
        System.exit(run(Terminal.ofProcess(), arguments));
    }

    /** Runs one command to its end and returns the exit code. */
    static int run(Terminal terminal, String... arguments) {
        int exitCode = commandLine(terminal).execute(arguments);
        terminal.out().flush();
        terminal.err().flush();
        return exitCode;
    }

    static CommandLine commandLine(Terminal terminal) {
        CommandLine root = new CommandLine(new Remus());
        List<Command> commands = List.of(
                new HostCommand(terminal),
                new StartCommand(terminal),
                new ProtectCommand(terminal),
                new UnprotectCommand(terminal),
                new StatusCommand(terminal),
                new EventsCommand(terminal),
                new TopCommand(terminal),
                new FailoverCommand(terminal),
                new SwitchoverCommand(terminal),
                new MigrateCommand(terminal),
                new DrainCommand(terminal),
                new PauseCommand(terminal),
                new ResumeCommand(terminal),
                new StopCommand(terminal),
                new DoctorCommand(terminal),
                new DemoCommand(terminal));
        commands.forEach(root::addSubcommand);
        root.addSubcommand(BenchCommand.commandLine(terminal));
        return root.setOut(terminal.out())
                .setErr(terminal.err())
                .setUsageHelpWidth(80)
                .setUsageHelpLongOptionsMaxWidth(26)
                .setAbbreviatedOptionsAllowed(false)
                .setParameterExceptionHandler(Remus::explainUsage)
                .setExecutionExceptionHandler(Remus::explainFailure);
    }

    private static int explainUsage(ParameterException e, String[] arguments) {
        CommandLine command = e.getCommandLine();
        String message = e instanceof UnmatchedArgumentException unmatched && !unmatched.isUnknownOption()
                ? unmatched(unmatched)
                : String.valueOf(e.getMessage());
        String name = command.getCommandSpec().qualifiedName();
        command.getErr().printf("%s: %s; see '%s --help'%n", name, oneLine(message), name);
        return CommandLine.ExitCode.USAGE;
    }

    private static String unmatched(UnmatchedArgumentException e) {
        String argument = e.getUnmatched().getFirst();
        List<String> alike = e.getSuggestions().stream()
                .filter(suggestion -> !argument.isEmpty() && suggestion.startsWith(argument.substring(0, 1)))
                .toList();
        return "what is '%s'?%s"
                .formatted(argument, alike.isEmpty() ? "" : " Did you mean " + String.join(" or ", alike) + "?");
    }

    private static int explainFailure(Exception e, CommandLine command, CommandLine.@Nullable ParseResult parsed) {
        if (e instanceof RemusException) {
            command.getErr().println("remus: " + oneLine(String.valueOf(e.getMessage())));
        } else {
            command.getErr().println("remus: unexpected failure, please report it: " + oneLine(e.toString()));
            e.printStackTrace(command.getErr());
        }
        return CommandLine.ExitCode.SOFTWARE;
    }

    private static String oneLine(String text) {
        return text.strip().replaceAll("\\s*[\\r\\n]+\\s*", " ");
    }

    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {"remus " + Release.text()};
        }
    }
}
