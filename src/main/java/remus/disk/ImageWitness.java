package remus.disk;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A file of a moment beside an image, by which another host finds out that it sees the same image: {@code
 * IMAGE.remus-witness-XXXX} holds a number that nobody else can know. Both parts of its name are new each time, so that no
 * cache of a network file system can have an opinion on it.
 *
 * <p>The image must be a regular file: the other host looks beside the file that the path leads to there, so neither a link
 * nor a directory of the same name elsewhere is taken for it. Placed and removed by one thread at a time. One that a killed
 * daemon has left behind is removed by {@link #removeLeftovers}.
 */
public final class ImageWitness implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ImageWitness.class);
    private static final String INFIX = ".remus-witness-";
    private static final int SUFFIX_BYTES = 8;
    private static final int SECRET_BYTES = 16;
    private static final Pattern SUFFIX = Pattern.compile("[0-9a-f]{%d}".formatted(2 * SUFFIX_BYTES));
    private static final Pattern SECRET = Pattern.compile("[0-9a-f]{%d}".formatted(2 * SECRET_BYTES));
    private static final SecureRandom RANDOM = new SecureRandom();

    private final Path image;
    private final Token token;
    private boolean isPlaced;

    /**
     * What the other host is told.
     *
     * @param suffix the end of the file's name
     * @param secret its content
     */
    public record Token(String suffix, String secret) {
        /** @throws IllegalArgumentException for what is none, such as a path to somewhere else */
        public Token {
            if (!SUFFIX.matcher(suffix).matches() || !SECRET.matcher(secret).matches()) {
                throw new IllegalArgumentException("no token of an image's witness: " + suffix);
            }
        }
    }

    private ImageWitness(Path image, Token token) {
        this.image = image;
        this.token = token;
    }

    /**
     * A new one, which is not there yet.
     *
     * @throws DiskException where the image is no regular file
     */
    public static ImageWitness of(Path image) throws DiskException {
        return new ImageWitness(regularFile(image), new Token(random(SUFFIX_BYTES), random(SECRET_BYTES)));
    }

    private static String random(int length) {
        byte[] bytes = new byte[length];
        RANDOM.nextBytes(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    private static Path regularFile(Path image) throws DiskException {
        try {
            Path real = image.toRealPath();
            if (!Files.isRegularFile(real, LinkOption.NOFOLLOW_LINKS)) {
                throw DiskException.unusable(image + " is no regular file", null);
            }
            return real;
        } catch (NoSuchFileException e) {
            throw DiskException.unusable("there is no " + image, e);
        } catch (IOException e) {
            throw DiskException.unusable(image + " can't be looked at: " + e, e);
        }
    }

    /** The image, without links: where the other host is to find it. */
    public Path image() {
        return image;
    }

    public Token token() {
        return token;
    }

    private static Path beside(Path image, Token token) {
        return image.resolveSibling(image.getFileName() + INFIX + token.suffix());
    }

    /** Makes the file; others can read it when this returns. */
    public void place() throws DiskException {
        Path file = beside(image, token);
        isPlaced = true;
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            ByteBuffer source = ByteBuffer.wrap(token.secret().getBytes(US_ASCII));
            while (source.hasRemaining()) {
                channel.write(source);
            }
            channel.force(true);
        } catch (IOException e) {
            throw DiskException.unusable("%s can't be written: %s".formatted(file, e), e);
        }
    }

    /**
     * Looks whether {@code image} is on this host the very one whose witness has that token.
     *
     * @param bytes its size there
     * @throws DiskException saying why it is not, or can't be told
     */
    public static void expect(Path image, long bytes, Token token) throws DiskException {
        Path real = regularFile(image);
        try {
            Path file = beside(real, token);
            if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
                throw DiskException.unusable(
                        image + " is another one here: there is no " + file + ", which was just made beside it", null);
            }
            try (InputStream in = Files.newInputStream(file)) {
                String found = new String(in.readNBytes(2 * SECRET_BYTES + 1), US_ASCII);
                if (!found.equals(token.secret())) {
                    throw DiskException.unusable(
                            image + " is another one here: " + file + " does not hold what was just written to it",
                            null);
                }
            }
            long size = Files.size(real);
            if (size != bytes) {
                throw DiskException.unusable(
                        "%s is another one here: it has %d bytes, and not %d".formatted(image, size, bytes), null);
            }
        } catch (IOException e) {
            throw DiskException.unusable("whether %s is the same here can't be told: %s".formatted(image, e), e);
        }
    }

    /** Removes all that other daemons may have left beside {@code image}; nobody may be looking for one now. */
    public static void removeLeftovers(Path image) {
        try {
            Path real = image.toRealPath();
            Path directory = real.getParent();
            if (directory == null || !Files.isRegularFile(real)) {
                return;
            }
            String beginning = real.getFileName() + INFIX;
            try (DirectoryStream<Path> files = Files.newDirectoryStream(
                    directory, file -> String.valueOf(file.getFileName()).startsWith(beginning))) {
                for (Path file : files) {
                    Files.deleteIfExists(file);
                }
            }
        } catch (IOException e) {
            LOG.warn("what may be left beside {} can't be removed: {}", image, e.toString());
        }
    }

    /** Removes the file, if it is there. Idempotent. */
    @Override
    public void close() {
        if (!isPlaced) {
            return;
        }
        try {
            Files.deleteIfExists(beside(image, token));
            isPlaced = false;
        } catch (IOException e) {
            LOG.warn("{} can't be removed, and may be by anybody: {}", beside(image, token), e.toString());
        }
    }
}
