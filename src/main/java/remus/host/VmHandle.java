package remus.host;

import java.io.IOException;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.qemu.QemuPaths;
import remus.qemu.VmDefinition;

/**
 * What a VM on this host is known by and where its QEMU keeps its files.
 *
 * @param directory the runtime directory, removed by {@link #close}
 */
record VmHandle(VmDefinition definition, QemuPaths paths, Path directory) implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(VmHandle.class);

    /** Removes the RAM file and all else that the QEMU needed; the process has ended before. */
    @Override
    public void close() {
        try {
            RuntimeDirectory.clear(directory);
        } catch (IOException e) {
            LOG.warn("{} can't be removed: {}", directory, e.toString());
        }
    }
}
