package remus.cli;

import java.io.File;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * How this program is started as another process.
 *
 * @param java the JVM's program and options, up to where {@code remus}' arguments begin
 */
record Installation(List<String> java) {
    /** A class cache that does not fit is not used, and is no news for who reads a daemon's log. */
    private static final List<String> QUIET = List.of("-Xlog:disable", "-Xlog:all=error,aot*=off:stderr");

    private static final String CACHE_OPTION = "-XX:AOTCache=";

    Installation {
        java = List.copyOf(java);
    }

    /**
     * As this process itself was started, with its classes and its class cache.
     *
     * @param jvmOptions further options of the JVM
     */
    static Installation own(List<String> jvmOptions) {
        String classPath = System.getProperty("java.class.path");
        List<String> cache = ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(option -> option.startsWith(CACHE_OPTION))
                .toList();
        return classPath.endsWith(".jar") && !classPath.contains(File.pathSeparator)
                ? ofJar(Path.of(classPath), cache, jvmOptions)
                : ofClasses(classPath, jvmOptions);
    }

    /** By the jar, whose manifest says what else there is to say, and a cache that was made for it. */
    static Installation ofJar(Path jar, Path cache, List<String> jvmOptions) {
        return ofJar(jar, List.of(CACHE_OPTION + cache), jvmOptions);
    }

    private static Installation ofJar(Path jar, List<String> cache, List<String> jvmOptions) {
        return of(cache.isEmpty() ? cache : concat(QUIET, cache), jvmOptions, List.of("-jar", jar.toString()));
    }

    /** No cache fits the option that allows native access, nor classes that are in no jar. */
    private static Installation ofClasses(String classPath, List<String> jvmOptions) {
        return of(
                List.of("--enable-native-access=ALL-UNNAMED"),
                jvmOptions,
                List.of("-cp", classPath, Remus.class.getName()));
    }

    private static Installation of(List<String> first, List<String> jvmOptions, List<String> program) {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        List<String> common = List.of(java, "--sun-misc-unsafe-memory-access=allow");
        return new Installation(concat(concat(common, first), concat(jvmOptions, program)));
    }

    /** The command that runs {@code remus} with these arguments. */
    List<String> command(List<String> arguments) {
        return concat(java, arguments);
    }

    private static List<String> concat(List<String> first, List<String> second) {
        return Stream.concat(first.stream(), second.stream()).toList();
    }
}
