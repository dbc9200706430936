package remus.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The file that a plot is drawn into; one that is there is replaced. */
final class PlotFile {
    private PlotFile() {}

    /** Refuses a place that can't be written, before anything is done that is to be drawn. */
    static void check(Path file) throws CommandException {
        Path absolute = file.toAbsolutePath();
        Path directory = absolute.getParent();
        if (Files.isDirectory(absolute)) {
            throw new CommandException("plot: '%s' is a directory; name a file in it".formatted(file));
        }
        if (directory == null || !Files.isDirectory(directory)) {
            throw new CommandException("plot: '%s' is in no directory that exists; make it first".formatted(file));
        }
        if (!Files.isWritable(Files.exists(absolute) ? absolute : directory)) {
            throw new CommandException("plot: '%s' may not be written; choose another place".formatted(file));
        }
    }

    static void write(Path file, String svg) throws CommandException {
        try {
            Files.writeString(file, svg, UTF_8);
        } catch (IOException e) {
            throw new CommandException("plot: '%s' can't be written: %s".formatted(file, e), e);
        }
    }
}
