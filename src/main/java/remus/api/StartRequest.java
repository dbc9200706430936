package remus.api;

import org.jspecify.annotations.Nullable;

/**
 * Asks a host to boot a VM.
 *
 * @param definition text of the VM's YAML definition
 * @param baseDirectory absolute path that the definition's relative paths start from, on the host
 * @param forceStale starts the VM with the images that are here, though another host may have newer ones; null: false
 */
public record StartRequest(
        String definition, String baseDirectory, @Nullable Boolean forceStale) {
    /** Longest definition accepted, in characters. */
    public static final int MAX_DEFINITION_CHARS = 64 << 10;

    public StartRequest {
        // JSON can leave out what Java's types promise.
        if (definition == null || baseDirectory == null) {
            throw new IllegalArgumentException("both 'definition' and 'baseDirectory' are needed");
        }
    }
}
