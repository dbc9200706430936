package remus.bench;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Runs the project's scripts that make guest images, or find them in the user's cache. */
final class ImageScript {
    private ImageScript() {}

    /**
     * Runs a script and returns the directory that it prints; what it says besides goes to stderr.
     *
     * @param script in the source tree, such as {@code scripts/guest-image}
     * @param arguments of it
     */
    static Path run(String script, String... arguments) throws BenchException, InterruptedException {
        Path file = projectDirectory().resolve(script);
        if (!Files.isExecutable(file)) {
            throw new BenchException(
                    "the guest image can't be made: " + file + " is missing; run ./remus from a source tree", null);
        }
        try {
            Process process = new ProcessBuilder(Stream.concat(Stream.of(file.toString()), Stream.of(arguments))
                            .toList())
                    .redirectInput(Path.of("/dev/null").toFile())
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            try {
                String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
                int exit = process.waitFor();
                if (exit != 0) {
                    throw new BenchException(
                            file + " could not make the guest image (exit code " + exit + "), see above", null);
                }
                return Path.of(said.strip());
            } finally {
                process.destroy();
            }
        } catch (IOException e) {
            throw new BenchException("the guest image can't be made: " + e.getMessage(), e);
        }
    }

    /** The source tree that this program was built in: target/ lies in it, with the jar or the classes. */
    private static Path projectDirectory() throws BenchException {
        @Nullable CodeSource source = ImageScript.class.getProtectionDomain().getCodeSource();
        try {
            @Nullable
            Path target = source == null
                    ? null
                    : Path.of(source.getLocation().toURI()).toAbsolutePath().getParent();
            @Nullable Path project = target == null ? null : target.getParent();
            if (project != null) {
                return project;
            }
        } catch (URISyntaxException e) {
            throw new BenchException("this program's own place can't be told: " + e.getMessage(), e);
        }
        throw new BenchException("this program's own place can't be told; run ./remus from a source tree", null);
    }
}
