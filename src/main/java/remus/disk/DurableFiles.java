package remus.disk;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/** Names of files that are on disk when a call returns, with the directory that holds them. */
final class DurableFiles {
    private DurableFiles() {}

    /** Where a file is made before it gets the name {@code target}. */
    static Path partial(Path target) {
        return target.resolveSibling(target.getFileName() + ".new");
    }

    /** Gives a file, whose content is durable, its name; another of that name is replaced. */
    static void rename(Path from, Path target) throws DiskException {
        try {
            Files.move(from, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            syncDirectoryOf(target);
        } catch (IOException e) {
            throw failure("%s can't be renamed to %s".formatted(from, target), e);
        }
    }

    static void removeIfThere(Path file) throws DiskException {
        try {
            if (Files.deleteIfExists(file)) {
                syncDirectoryOf(file);
            }
        } catch (IOException e) {
            throw failure(file + " can't be removed", e);
        }
    }

    private static void syncDirectoryOf(Path file) throws IOException {
        Path directory = file.toAbsolutePath().getParent();
        if (directory != null) {
            try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
                channel.force(true);
            }
        }
    }

    static DiskException failure(String what, IOException cause) {
        return DiskException.unusable(what + ": " + cause, cause);
    }
}
