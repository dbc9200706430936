package remus.replication;

import java.io.IOException;
import java.nio.channels.ReadableByteChannel;

/** Opens the files that a hello names, for sending them to a backup that lacks them. */
@FunctionalInterface
public interface FileSource {
    /** @param name one of the names in the hello */
    ReadableByteChannel open(String name) throws IOException;
}
