package remus.cli;

import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.List;
import java.util.Objects;
import org.jline.utils.AttributedString;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import remus.base.DurationText;

@CommandLine.Command(
        name = "top",
        header = "Watch a host's VMs live.",
        description = {
            "",
            "Shows the host, its VMs with their figures and the last events, again and again; keys: q quits, p makes it "
                    + "stand still, ? explains the columns. A host that does not answer is asked on.",
            "",
            "Where the output is no terminal, and with --once, one plain view is printed instead, after one interval.",
            ""
        },
        footer = {
            "",
            "Example:",
            "  remus top",
            "  remus top --api 192.0.2.7:7421 --interval 250ms",
            "  remus top --once"
        })
final class TopCommand extends Command {
    private static final Duration SHORTEST = Duration.ofMillis(100);
    private static final Duration LONGEST = Duration.ofMinutes(1);

    /** How soon a key, another size or news are seen on the screen. */
    private static final long LOOK_MILLIS = 50;

    private static final int PLAIN_COLUMNS = 80;
    private static final int CTRL_C = 3;

    @Mixin
    private final ApiOption api = new ApiOption();

    @Option(
            names = "--interval",
            paramLabel = "TIME",
            defaultValue = "1s",
            converter = DurationOption.class,
            description = "How often the host is asked, 100ms to 1min; default: 1s.")
    private String interval = "1s";

    @Option(names = "--once", description = "Print one plain view and end.")
    private boolean once;

    @Spec
    private @Nullable CommandSpec spec;

    TopCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    void run() throws CommandException {
        Duration every = DurationText.parse(interval);
        if (every.compareTo(SHORTEST) < 0 || every.compareTo(LONGEST) > 0) {
            throw new ParameterException(
                    Objects.requireNonNull(spec).commandLine(),
                    "--interval %s: a host is asked every %s to %s"
                            .formatted(interval, DurationText.format(SHORTEST), DurationText.format(LONGEST)));
        }
        boolean live = !once && terminal().outIsTerminal() && Terminal.inputIsTerminal();
        try (TopScreen screen = live ? TopScreen.open(System.getenv()) : null) {
            if (screen == null) {
                printOnce(every);
            } else {
                watch(screen, every);
            }
        }
    }

    private ApiClient client() {
        return api.client(TopFeed.ANSWER_TIMEOUT);
    }

    private void printOnce(Duration every) throws CommandException {
        TopState state = TopFeed.once(client(), api.address().toString(), every);
        TopView.plain(state, PLAIN_COLUMNS, ZoneId.systemDefault(), interval)
                .forEach(line -> print(line.toString().stripTrailing()));
    }

    private void watch(TopScreen screen, Duration every) {
        try (TopFeed feed = new TopFeed(client(), api.address().toString(), every)) {
            TopView.Mode mode = new TopView.Mode.Live();
            TopState shown = feed.state();
            while (true) {
                if (!mode.isStill()) {
                    shown = feed.state();
                }
                TopView.Size size = screen.size();
                List<AttributedString> lines = new TopView(size, ZoneId.systemDefault(), interval).lines(shown, mode);
                screen.show(lines, size);
                int key = screen.key(LOOK_MILLIS);
                if (key == 'q' || key == CTRL_C || key == TopScreen.END) {
                    return;
                }
                mode = after(key, mode);
            }
        }
    }

    private static TopView.Mode after(int key, TopView.Mode mode) {
        if (key == TopScreen.NO_KEY) {
            return mode;
        }
        return switch (mode) {
            case TopView.Mode.Help(TopView.Mode behind) -> behind;
            case TopView.Mode.Live _ when key == '?' -> new TopView.Mode.Help(mode);
            case TopView.Mode.Paused _ when key == '?' -> new TopView.Mode.Help(mode);
            case TopView.Mode.Paused _ when key == 'p' -> new TopView.Mode.Live();
            case TopView.Mode.Live _ when key == 'p' -> new TopView.Mode.Paused(Instant.now());
            case TopView.Mode.Paused _, TopView.Mode.Live _ -> mode;
        };
    }
}
