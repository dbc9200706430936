package remus.disk;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import remus.base.HostAddress;
import remus.base.Term;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.MapperFeature;
import tools.jackson.databind.ObjectReader;
import tools.jackson.databind.json.JsonMapper;

/**
 * A note beside an image, {@code IMAGE.remus}, which says why the image must not just be started: another host may have a
 * newer copy, or this is a backup's. One line of JSON, so that people and scripts can read it (docs/DISK-FORMAT.md).
 *
 * <p>Invariants: {@link #write} and {@link #remove} are durable when they return, directory included, and a marker is
 * replaced as a whole; a marker that can't be read or understood is an error and never counts as absent. An image has one
 * marker whatever links lead to it. Safe for many threads on different images.
 *
 * @param host whose marker this is
 * @param term of the session that it speaks of
 * @param peer the other host of that session
 * @param redoLog the log that belongs to the image, on a backup
 * @param since when it was written
 */
public record ImageMarker(
        String vm,
        String disk,
        String host,
        Term term,
        Role role,
        Peer peer,
        @Nullable Path redoLog,
        Instant since) {
    /** What the image is for its host. */
    public enum Role {
        /** This host ran the VM with it, and the peer may own a newer copy. */
        PROTECTED,
        /** A backup's copy that is not whole. */
        SYNCHRONIZING,
        /** A backup's copy that equals, together with its redo log, a whole checkpoint. */
        STANDBY,
        /** This host runs the VM with it, and the peer may take over both: it sees the same image. */
        MOVING
    }

    /** The other host, and where its daemon listens. */
    public record Peer(String name, HostAddress address) {}

    /** The file's content as it is. */
    private record Document(
            int version,
            @Nullable String vm,
            @Nullable String disk,
            @Nullable String host,
            long term,
            @Nullable String role,
            @Nullable PeerDocument peer,
            @Nullable String redoLog,
            @Nullable String since) {}

    private record PeerDocument(
            @Nullable String name, @Nullable String address) {}

    static final String SUFFIX = ".remus";
    static final int VERSION = 1;

    /** A marker is no longer than this. */
    static final int MAX_BYTES = 16 << 10;

    /** An address without a port is none. */
    private static final int NO_PORT = -1;

    // Jackson itself and not the API's Json, which belongs to another room.
    private static final JsonMapper MAPPER = JsonMapper.builder()
            .disable(MapperFeature.SORT_PROPERTIES_ALPHABETICALLY, MapperFeature.ALLOW_COERCION_OF_SCALARS)
            .build();
    private static final ObjectReader READER = MAPPER.readerFor(Document.class)
            .with(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .with(
                    DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES,
                    DeserializationFeature.FAIL_ON_TRAILING_TOKENS,
                    DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES,
                    DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .without(DeserializationFeature.ACCEPT_FLOAT_AS_INT);

    /**
     * Where the marker of {@code image} is: beside the file that links lead to. A block device has it beside the link
     * that names it, for what is made in /dev is gone when the host starts again.
     *
     * @throws DiskException where there is no such image, or no lasting place beside it
     */
    public static Path fileOf(Path image) throws DiskException {
        try {
            Path real = image.toRealPath();
            if (!Files.isRegularFile(real)) {
                real = image.toAbsolutePath().normalize();
                if (!Files.isSymbolicLink(real) || real.startsWith("/dev")) {
                    throw DiskException.unusable(
                            "beside %s nothing lasts that says who owns it; make a link to it in a directory on a disk, as ln -s %s /var/lib/remus/DISK, and give that"
                                    .formatted(image, image),
                            null);
                }
            }
            return real.resolveSibling(real.getFileName() + SUFFIX);
        } catch (IOException e) {
            throw DurableFiles.failure("the image " + image + " can't be found", e);
        }
    }

    /** The marker of {@code image}, if it has one. */
    public static Optional<ImageMarker> read(Path image) throws DiskException {
        Path file = fileOf(image);
        try (InputStream in = Files.newInputStream(file)) {
            byte[] bytes = in.readNBytes(MAX_BYTES + 1);
            if (bytes.length > MAX_BYTES) {
                throw refusal(file, "it is longer than " + MAX_BYTES + " bytes", null);
            }
            Document document = READER.readValue(
                    UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString());
            return Optional.of(of(file, document));
        } catch (NoSuchFileException e) {
            if (Files.isSymbolicLink(file)) {
                throw refusal(file, "it is a link to nothing", e);
            }
            return Optional.empty();
        } catch (IOException | JacksonException e) {
            throw refusal(file, String.valueOf(e.getMessage()), e);
        }
    }

    private static ImageMarker of(Path file, @Nullable Document document) throws DiskException {
        if (document == null || document.version() != VERSION) {
            throw refusal(file, "its version is not " + VERSION, null);
        }
        try {
            PeerDocument peer = present("peer", document.peer());
            String redoLog = document.redoLog();
            Path logPath = redoLog == null ? null : Path.of(redoLog);
            Role role = Role.valueOf(present("role", document.role()).toUpperCase(Locale.ROOT));
            if (logPath != null && !logPath.isAbsolute()) {
                throw new IllegalArgumentException("redoLog is no absolute path");
            }
            return new ImageMarker(
                    present("vm", document.vm()),
                    present("disk", document.disk()),
                    present("host", document.host()),
                    new Term(document.term()),
                    role,
                    new Peer(
                            present("peer's name", peer.name()),
                            HostAddress.parse(present("peer's address", peer.address()), NO_PORT)),
                    logPath,
                    Instant.parse(present("since", document.since())));
        } catch (IllegalArgumentException | DateTimeException e) {
            throw refusal(file, String.valueOf(e.getMessage()), e);
        }
    }

    private static <T> T present(String what, @Nullable T value) {
        if (value == null || value.equals("")) {
            throw new IllegalArgumentException(what + " is missing");
        }
        return value;
    }

    private static DiskException refusal(Path file, String why, @Nullable Exception cause) {
        return DiskException.unusable(
                "the marker %s can't be understood: %s; it says who else may own the image: find that out, then remove it"
                        .formatted(file, why),
                cause);
    }

    /** Writes this as the marker of {@code image}, in place of another that it may have. */
    public void write(Path image) throws DiskException {
        Path file = fileOf(image);
        Document document = new Document(
                VERSION,
                vm,
                disk,
                host,
                term.value(),
                role.name(),
                new PeerDocument(peer.name(), peer.address().toString()),
                redoLog == null ? null : redoLog.toAbsolutePath().toString(),
                since.toString());
        byte[] bytes = (MAPPER.writeValueAsString(document) + "\n").getBytes(UTF_8);
        if (bytes.length > MAX_BYTES) {
            throw DiskException.unusable("the marker %s would have %d bytes".formatted(file, bytes.length), null);
        }
        Path partial = DurableFiles.partial(file);
        try (FileChannel channel = FileChannel.open(
                partial, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
            ByteBuffer source = ByteBuffer.wrap(bytes);
            while (source.hasRemaining()) {
                channel.write(source);
            }
            channel.force(true);
        } catch (IOException e) {
            throw DurableFiles.failure("the marker " + file + " can't be written", e);
        }
        DurableFiles.rename(partial, file);
    }

    /** Removes the marker of {@code image}, readable or not; nothing happens where there is none. */
    public static void remove(Path image) throws DiskException {
        DurableFiles.removeIfThere(fileOf(image));
    }
}
