package remus.zookeeper;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Who this host is to ZooKeeper's {@code digest} scheme: the same for all hosts that share VMs. Nodes made with it can be
 * read and changed with it only. It travels unencrypted.
 *
 * @param text {@code USER:SECRET}, ASCII without spaces
 */
public record ZooKeeperCredential(String text) {
    private static final Pattern FORM = Pattern.compile("[\\x21-\\x7e&&[^:]]+:[\\x21-\\x7e]+");

    private static final Set<PosixFilePermission> OTHERS = Set.of(
            PosixFilePermission.GROUP_READ,
            PosixFilePermission.GROUP_WRITE,
            PosixFilePermission.OTHERS_READ,
            PosixFilePermission.OTHERS_WRITE);

    public ZooKeeperCredential {
        if (text.length() > ZooKeeperLimits.MAX_CREDENTIAL_CHARS
                || !FORM.matcher(text).matches()) {
            // Says nothing of the text: it may be the secret.
            throw new IllegalArgumentException("not a credential: write one line USER:SECRET, ASCII without spaces");
        }
    }

    /**
     * Reads a file of one line that only its owner may read.
     *
     * @throws ArbiterSetUpException when it can't be read, others may read it, or it holds something else
     */
    public static ZooKeeperCredential read(Path file) throws ArbiterSetUpException {
        try (InputStream input = Files.newInputStream(file)) {
            Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(file);
            if (permissions.stream().anyMatch(OTHERS::contains)) {
                throw new ArbiterSetUpException(
                        "the credential in " + file + " may be read or changed by others: chmod 600 " + file, null);
            }
            byte[] bytes = input.readNBytes(ZooKeeperLimits.MAX_CREDENTIAL_CHARS + 2);
            return new ZooKeeperCredential(new String(bytes, StandardCharsets.UTF_8).strip());
        } catch (IOException e) {
            throw new ArbiterSetUpException("the credential in " + file + " can't be read: " + e, e);
        } catch (IllegalArgumentException e) {
            throw new ArbiterSetUpException(file + " is " + e.getMessage(), e);
        }
    }

    byte[] bytes() {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    /** Without the secret. */
    @Override
    public String toString() {
        return text.substring(0, text.indexOf(':')) + ":(secret)";
    }
}
