package remus.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** What a bench of this process could leave behind. */
final class BenchLeftovers {
    private BenchLeftovers() {}

    /** What there is now, each thing by its name. */
    static List<String> list(String bench) throws Exception {
        Stream<String> qemus = ProcessHandle.current()
                .children()
                .filter(child -> child.info().command().orElse("").contains("qemu"))
                .map(child -> "process " + child.pid());
        return Stream.of(
                        qemus,
                        names(
                                "/dev/shm",
                                "remus-bench-" + ProcessHandle.current().pid() + "-"),
                        names("/run/netns", "remus" + ProcessHandle.current().pid()),
                        names(System.getProperty("java.io.tmpdir"), "remus-bench-" + bench + "-"))
                .flatMap(all -> all)
                .sorted()
                .toList();
    }

    private static Stream<String> names(String directory, String prefix) throws Exception {
        Path path = Path.of(directory);
        if (!Files.isDirectory(path)) {
            return Stream.empty();
        }
        try (Stream<Path> files = Files.list(path)) {
            return files
                    .map(Path::toString)
                    .filter(name -> name.startsWith(path.resolve(prefix).toString()))
                    .toList()
                    .stream();
        }
    }
}
