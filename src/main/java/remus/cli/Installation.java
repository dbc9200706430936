package remus.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** How this program was started, to start it again as another process. */
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
}
