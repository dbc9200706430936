package remus.memory;

import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;

/** RAM files of tests, each under a name of its own. */
final class RamFiles {
    private static final AtomicInteger NUMBER = new AtomicInteger();

    private RamFiles() {}

    static SharedRamFile create(int pages) throws GuestMemoryException {
        return SharedRamFile.create(path(), (long) pages * GuestMemory.PAGE_BYTES);
    }

    static Path path() {
        return Path.of("/dev/shm/remus-test-" + ProcessHandle.current().pid() + "-" + NUMBER.incrementAndGet());
    }
}
