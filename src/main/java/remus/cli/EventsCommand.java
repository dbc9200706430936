package remus.cli;

import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Option;
import remus.api.Event;
import remus.api.Json;

@CommandLine.Command(
        name = "events",
        header = "Show what happened to a host's VMs.",
        description = {
            "",
            "Shows the recent past; with --follow also what happens from now on. Each change of a VM's state is one event, "
                    + "with its reason, the term of ownership and the epoch; docs/OPERATING.md says what each event asks for.",
            ""
        },
        footer = {"", "Example:", "  remus events --follow"})
final class EventsCommand extends Command.OfApi {
    @Option(
            names = {"-f", "--follow"},
            description = "Go on with new events as they happen.")
    private boolean follow;

    @Option(names = "--json", description = "Print one JSON array; with --follow one JSON object a line.")
    private boolean json;

    EventsCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    void run() throws CommandException {
        if (json && !follow) {
            List<Event> all = new ArrayList<>();
            client().events(false, all::add);
            print(Json.write(all));
            return;
        }
        boolean wanted = client().events(follow, event -> {
            print(json ? Json.write(event) : EventText.line(event));
            // False when whoever read our output has gone.
            return !terminal().out().checkError();
        });
        if (follow && !wanted) {
            throw new CommandException("the host daemon ended; start it again with 'remus host'");
        }
    }
}
