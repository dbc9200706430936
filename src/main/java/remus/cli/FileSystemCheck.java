package remus.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import remus.bench.DiskGuestImage;

/**
 * A forced check of the ext4 file system in a copy of a disk guest's image, as the image is at a moment: like after a
 * power cut, the journal is replayed first. The image itself is only read. The copy holds the partition alone: e2fsck's
 * own way to find it within a disk ({@code FILE?offset=BYTES}) fails as soon as there is a journal to replay.
 */
final class FileSystemCheck implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofMinutes(5);

    /** Lines of e2fsck that tell what is wrong. */
    private static final int SHOWN_LINES = 3;

    private final Path copy;

    private FileSystemCheck(Path copy) {
        this.copy = copy;
    }

    /**
     * Copies the file system; nothing may write to the image meanwhile.
     *
     * @param directory receives the copy; holes stay holes
     */
    static FileSystemCheck copy(Path image, Path directory) throws CommandException, InterruptedException {
        FileSystemCheck check = new FileSystemCheck(directory.resolve("file-system.copy"));
        long blockBytes = 1 << 20;
        List<String> dd = List.of(
                "dd",
                "if=" + image,
                "of=" + check.copy,
                "bs=" + blockBytes,
                "skip=" + DiskGuestImage.FILE_SYSTEM_OFFSET / blockBytes,
                "conv=sparse",
                "status=none");
        Ended ended = run(dd);
        if (ended.exit() != 0) {
            check.close();
            throw new CommandException("%s can't be copied: %s".formatted(image, ended.said()));
        }
        return check;
    }

    /** The copy: the partition alone. */
    Path copy() {
        return copy;
    }

    /** What is wrong with the file system, or null. */
    @Nullable
    String problem() throws CommandException, InterruptedException {
        // Replays the journal and frees what had no name any more, as mounting would. Anything else that it mends was
        // wrong, and its exit code then is not 0.
        Ended replayed = run(List.of("e2fsck", "-p", copy.toString()));
        if (replayed.exit() != 0) {
            return "e2fsck -p ended with %d: %s".formatted(replayed.exit(), replayed.said());
        }
        Ended checked = run(List.of("e2fsck", "-fn", copy.toString()));
        return checked.exit() == 0 ? null : "e2fsck -fn ended with %d: %s".formatted(checked.exit(), checked.said());
    }

    private record Ended(int exit, String said) {}

    private static Ended run(List<String> command) throws CommandException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectErrorStream(true);
        // Where a user's PATH has no system programs.
        builder.environment().merge("PATH", "/usr/sbin:/sbin", (path, more) -> path + ":" + more);
        builder.environment().put("LC_ALL", "C");
        try {
            Path output = Files.createTempFile("remus-check", ".log");
            Process process = builder.redirectOutput(output.toFile()).start();
            try {
                if (!process.waitFor(LIMIT.toSeconds(), TimeUnit.SECONDS)) {
                    throw new CommandException(
                            "%s did not end within %d s".formatted(command.getFirst(), LIMIT.toSeconds()));
                }
                return new Ended(process.exitValue(), summary(output));
            } finally {
                process.destroyForcibly();
                Files.delete(output);
            }
        } catch (IOException e) {
            throw new CommandException("%s can't be run: %s".formatted(command.getFirst(), e.getMessage()), e);
        }
    }

    private static String summary(Path output) throws IOException {
        return Files.readString(output, StandardCharsets.ISO_8859_1)
                .lines()
                .filter(line -> !line.isBlank() && !line.startsWith("e2fsck ") && !line.startsWith("Pass "))
                .limit(SHOWN_LINES)
                .collect(Collectors.joining("; "));
    }

    /** Removes the copy. */
    @Override
    public void close() throws CommandException {
        try {
            Files.deleteIfExists(copy);
        } catch (IOException e) {
            throw new CommandException("%s can't be removed: %s".formatted(copy, e.getMessage()), e);
        }
    }
}
