package remus.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * The Debian guest with PostgreSQL on a disk that {@code scripts/disk-guest-image} makes, and caches. The cached image
 * is never written: each VM gets a copy.
 *
 * @param directory holds {@code disk.raw}
 */
public record DiskGuestImage(Path directory) {
    private static final String SCRIPT = "scripts/disk-guest-image";

    /** Where the one partition with its ext4 file system begins. */
    public static final long FILE_SYSTEM_OFFSET = 1L << 20;

    /** The line on the console that says that PostgreSQL takes queries. */
    public static final String READY = "remus-guest: ready";

    /** Where the guest's PostgreSQL listens. */
    public static final int DATABASE_PORT = 5432;

    /** Where its control service does; see scripts/guest/README.md. */
    public static final int CONTROL_PORT = 77;

    /** A copy of 350 MB may take this long on a slow and busy disk. */
    private static final long COPY_LIMIT_SECONDS = 300;

    /** Makes the image where it is missing, which takes a minute; what the script says goes to stderr. */
    public static DiskGuestImage make() throws BenchException, InterruptedException {
        return new DiskGuestImage(ImageScript.run(SCRIPT));
    }

    /** The cached raw image: to be copied, never to be written. */
    public Path disk() {
        return directory.resolve("disk.raw");
    }

    /**
     * The address that the guest takes on a card with the MAC 52:54:00:XX:YY:ZZ, unless its kernel's command line says
     * another: 10 and the last three bytes, with a prefix length of 24.
     */
    public static String addressOfMac(String mac) {
        String[] bytes = mac.split(":", -1);
        if (bytes.length != 6) {
            throw new IllegalArgumentException("'" + mac + "' is no MAC");
        }
        return "10.%d.%d.%d"
                .formatted(
                        Integer.parseInt(bytes[3], 16), Integer.parseInt(bytes[4], 16), Integer.parseInt(bytes[5], 16));
    }

    /** Copies a raw image; holes stay holes, and where the file system can, the two share their blocks. */
    public static void copy(Path from, Path to) throws BenchException, InterruptedException {
        try {
            Process process = new ProcessBuilder(
                            "cp", "--reflink=auto", "--sparse=always", "--", from.toString(), to.toString())
                    .redirectInput(Path.of("/dev/null").toFile())
                    .redirectErrorStream(true)
                    .start();
            try {
                if (!process.waitFor(COPY_LIMIT_SECONDS, TimeUnit.SECONDS)) {
                    throw new BenchException(
                            "%s can't be copied to %s within %d s".formatted(from, to, COPY_LIMIT_SECONDS), null);
                }
                if (process.exitValue() != 0) {
                    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
                    throw new BenchException("%s can't be copied to %s: %s".formatted(from, to, said.strip()), null);
                }
            } finally {
                process.destroyForcibly();
            }
        } catch (IOException e) {
            throw new BenchException("%s can't be copied to %s: %s".formatted(from, to, e.getMessage()), e);
        }
    }
}
