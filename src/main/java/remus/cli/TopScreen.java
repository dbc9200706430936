package remus.cli;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.jline.terminal.Attributes;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;
import org.jline.utils.AttributedString;
import org.jline.utils.Display;
import org.jline.utils.InfoCmp.Capability;
import org.jline.utils.ShutdownHooks;
import org.jspecify.annotations.Nullable;

/**
 * A terminal as a whole screen with keys that are told at once. It is as it was before as soon as this is closed, and also
 * when the process is ended by a signal: Ctrl-C and Ctrl-Z come as keys, other signals end the JVM, whose hook closes it.
 * Used by one thread, but for {@link #close}.
 */
final class TopScreen implements AutoCloseable {
    /** What {@link #key} returns when none was pressed. */
    static final int NO_KEY = -2;

    /** What {@link #key} returns when the terminal is gone. */
    static final int END = -1;

    /** Fewer than these are no colours to tell things by. */
    private static final int MIN_COLOURS = 8;

    private final Terminal terminal;
    private final Attributes former;
    private final Display display;
    private final boolean coloured;
    private final Thread onExit = new Thread(this::restore, "top-restore");
    private TopView.Size size = new TopView.Size(0, 0);
    private List<AttributedString> shown = List.of();
    private boolean closed;

    private TopScreen(Terminal terminal, boolean coloured) {
        this.terminal = terminal;
        this.coloured = coloured;
        former = terminal.enterRawMode();
        Attributes raw = new Attributes(terminal.getAttributes());
        raw.setLocalFlag(Attributes.LocalFlag.ISIG, false);
        terminal.setAttributes(raw);
        Runtime.getRuntime().addShutdownHook(onExit);
        terminal.puts(Capability.enter_ca_mode);
        terminal.puts(Capability.cursor_invisible);
        display = new Display(terminal, true);
    }

    /**
     * Takes the process' terminal over.
     *
     * @return null when that can't put a cursor where it is wanted
     */
    static @Nullable TopScreen open(Map<String, String> environment) throws CommandException {
        // JLine's own hook closes the terminal beside whoever still draws on it, and does not bring the former screen
        // back.
        System.setProperty(ShutdownHooks.PROP_DISABLE_SHUTDOWN_HOOK, "true");
        try {
            // Asking a terminal what else it can do costs half a second where it does not answer, and nothing is made
            // of it.
            Terminal terminal = TerminalBuilder.builder()
                    .system(true)
                    .provider(TerminalBuilder.PROP_PROVIDER_FFM)
                    .dumb(false)
                    .graphemeCluster(false)
                    .nativeSignals(false)
                    .build();
            if (terminal.getStringCapability(Capability.cursor_address) == null) {
                terminal.close();
                return null;
            }
            return new TopScreen(terminal, isColoured(terminal, environment));
        } catch (IOException | IllegalStateException e) {
            throw new CommandException(
                    "the terminal can't be used as a screen: %s; use --once".formatted(e.getMessage()), e);
        }
    }

    private static boolean isColoured(Terminal terminal, Map<String, String> environment) {
        Integer colours = terminal.getNumericCapability(Capability.max_colors);
        return colours != null
                && colours >= MIN_COLOURS
                && environment.getOrDefault("NO_COLOR", "").isEmpty();
    }

    /** The size of now: it may have been changed since. */
    TopView.Size size() {
        org.jline.terminal.Size now = terminal.getSize();
        return new TopView.Size(now.getColumns(), now.getRows());
    }

    /** Shows these lines and nothing else; only what differs is sent. */
    synchronized void show(List<AttributedString> lines, TopView.Size of) {
        boolean isSame = of.equals(size) && lines.equals(shown);
        if (closed || isSame) {
            return;
        }
        if (!of.equals(size)) {
            size = of;
            display.clear();
            display.resize(org.jline.terminal.Size.of(of.columns(), of.rows()));
        }
        shown = List.copyOf(lines);
        display.update(coloured ? lines : lines.stream().map(TopScreen::plain).toList(), 0);
    }

    private static AttributedString plain(AttributedString line) {
        return new AttributedString(line.toString());
    }

    /** The next key, {@link #NO_KEY} when none is pressed within that time, or {@link #END}. */
    int key(long patienceMillis) {
        try {
            return terminal.reader().read(patienceMillis);
        } catch (IOException e) {
            return END; // a terminal that can't be read has been taken away
        }
    }

    /** Nothing is drawn any more afterwards. */
    private synchronized void restore() {
        if (!closed) {
            closed = true;
            terminal.puts(Capability.cursor_normal);
            terminal.puts(Capability.exit_ca_mode);
            terminal.flush();
            terminal.setAttributes(former);
        }
    }

    @Override
    public void close() throws CommandException {
        restore();
        try {
            Runtime.getRuntime().removeShutdownHook(onExit);
            terminal.close();
        } catch (IllegalStateException e) {
            return; // the JVM is ending, and takes the rest along
        } catch (IOException e) {
            throw new CommandException("the terminal can't be given back: " + e.getMessage(), e);
        }
    }
}
