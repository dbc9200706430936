package remus.cli;

import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Where this program was started from: how to start it again as another process, and where its scripts are. */
final class Installation {
    private Installation() {}

    /**
     * The command that runs {@code remus} with {@code arguments} in a JVM like this one.
     *
     * @param jvmOptions further options of the JVM
     */
    static List<String> command(List<String> jvmOptions, List<String> arguments) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("--enable-native-access=ALL-UNNAMED");
        command.add("--sun-misc-unsafe-memory-access=allow");
        command.addAll(jvmOptions);
        command.add("-cp");
        command.add(System.getProperty("java.class.path"));
        command.add(Remus.class.getName());
        command.addAll(arguments);
        return command;
    }

    /** A script of the checkout that this program runs from. */
    static Path script(String name) throws CommandException {
        try {
            Path code = Path.of(Remus.class
                    .getProtectionDomain()
                    .getCodeSource()
                    .getLocation()
                    .toURI());
            for (Path directory = code; directory != null; directory = directory.getParent()) {
                Path script = directory.resolve("scripts").resolve(name);
                if (Files.isExecutable(script)) {
                    return script;
                }
            }
            throw new CommandException("%s is not above %s: run ./remus from a checkout of the project"
                    .formatted("scripts/" + name, code));
        } catch (URISyntaxException e) {
            throw new CommandException("the place of this program has no path: " + e.getMessage(), e);
        }
    }
}
