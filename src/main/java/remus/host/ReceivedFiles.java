package remus.host;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;
import remus.checkpoint.CheckpointException;
import remus.wire.HelloFile;

/**
 * The files that a session's VM needs, kept by their digest: what this host has already is not asked for, and what
 * comes is used only when its digest is right. Confined to the backup's agent thread.
 */
final class ReceivedFiles implements AutoCloseable {
    private final StateDirectory state;
    private final Map<String, HelloFile> files = new HashMap<>();
    private final Map<String, FileChannel> open = new HashMap<>();

    ReceivedFiles(StateDirectory state, List<HelloFile> files) {
        this.state = state;
        files.forEach(file -> this.files.put(file.name(), file));
    }

    /** Names of the files that this host lacks. */
    List<String> wanted() {
        return files.values().stream()
                .filter(file -> !Files.exists(state.receivedFile(file.sha256().toString())))
                .map(HelloFile::name)
                .toList();
    }

    /** Where a file of the session is, or null when the session has none of that name. */
    @Nullable
    Path path(String name) {
        HelloFile file = files.get(name);
        return file == null ? null : state.receivedFile(file.sha256().toString());
    }

    /** Takes a part; the last one completes the file. */
    void write(String name, long offset, MemorySegment bytes) throws CheckpointException {
        HelloFile file = files.get(name);
        if (file == null || offset + bytes.byteSize() > file.bytes()) {
            throw new CheckpointException(
                    ErrorCategory.RETRY, "file " + name + " was not announced so, offset=" + offset, null);
        }
        try {
            Path partial = partial(file);
            FileChannel channel = open.get(name);
            if (channel == null) {
                channel = FileChannel.open(
                        partial,
                        StandardOpenOption.CREATE,
                        StandardOpenOption.WRITE,
                        StandardOpenOption.TRUNCATE_EXISTING);
                open.put(name, channel);
            }
            ByteBuffer source = bytes.asByteBuffer();
            while (source.hasRemaining()) {
                channel.write(source, offset + source.position());
            }
            if (offset + bytes.byteSize() == file.bytes()) {
                complete(file, partial, channel);
            }
        } catch (IOException e) {
            throw new CheckpointException(ErrorCategory.DEGRADE, "file " + name + " can't be kept: " + e, e);
        }
    }

    private Path partial(HelloFile file) {
        Path target = state.receivedFile(file.sha256().toString());
        return target.resolveSibling(
                target.getFileName() + ".partial." + Thread.currentThread().threadId());
    }

    private void complete(HelloFile file, Path partial, FileChannel channel) throws IOException, CheckpointException {
        channel.close();
        open.remove(file.name());
        if (!SharedDefinition.sha256(partial).equals(file.sha256())) {
            Files.delete(partial);
            throw new CheckpointException(
                    ErrorCategory.RETRY, "file " + file.name() + " arrived with another digest than announced", null);
        }
        Files.move(partial, state.receivedFile(file.sha256().toString()), StandardCopyOption.ATOMIC_MOVE);
    }

    @Override
    public void close() throws IOException {
        for (Map.Entry<String, FileChannel> entry : open.entrySet()) {
            entry.getValue().close();
            HelloFile file = files.get(entry.getKey());
            if (file != null) {
                Files.deleteIfExists(partial(file));
            }
        }
    }
}
