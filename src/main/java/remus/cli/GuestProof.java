package remus.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import remus.base.RemusException;
import remus.bench.GuestLoad;
import remus.bench.RamPages;
import remus.linux.ProcessMapping;

/**
 * Whether a guest goes on with what it did: its echo service answers the client that it had, for a while, and its memory
 * shows that it still writes as many pages as it is to. Looks at the guest from outside only.
 */
final class GuestProof {
    /** The guest may be busy, and its client's TCP waits for a retransmission. */
    private static final Duration FIRST_ANSWER_LIMIT = Duration.ofSeconds(10);

    /** A guest that has lost pages may answer once more, and die. */
    private static final Duration LASTING = Duration.ofMillis(500);

    private static final Duration WRITING_LIMIT = Duration.ofSeconds(10);
    private static final Duration LOOK_EVERY = Duration.ofMillis(100);

    private GuestProof() {}

    /**
     * Looks at a guest that runs.
     *
     * @param qemuPid process of its QEMU
     * @return what it does not do any more; null when it does all
     */
    static @Nullable String whatIsMissing(EchoClient client, GuestLoad load, long qemuPid)
            throws RemusException, InterruptedException {
        long until = System.nanoTime() + LASTING.toNanos();
        for (long now = System.nanoTime(); now - until < 0; now = System.nanoTime()) {
            if (!client.awaitAnswerSince(now, FIRST_ANSWER_LIMIT)) {
                String problem = client.problem();
                return "the guest does not answer: "
                        + (problem == null ? "silent for %d s".formatted(FIRST_ANSWER_LIMIT.toSeconds()) : problem);
            }
        }
        return load.pages() == 0 ? null : missingWrites(load, qemuPid);
    }

    private static @Nullable String missingWrites(GuestLoad load, long qemuPid)
            throws RemusException, InterruptedException {
        try {
            Path ram = ramFile(qemuPid);
            int[] before = RamPages.checksums(ram);
            long deadline = System.nanoTime() + WRITING_LIMIT.toNanos();
            long changed = 0;
            while (changed < load.pages()) {
                if (System.nanoTime() - deadline > 0) {
                    return "the guest wrote %d of %d pages within %d s"
                            .formatted(changed, load.pages(), WRITING_LIMIT.toSeconds());
                }
                TimeUnit.NANOSECONDS.sleep(LOOK_EVERY.toNanos());
                changed = RamPages.changed(before, RamPages.checksums(ram));
            }
            return null;
        } catch (IOException e) {
            return "the guest's memory can't be read: " + e.getMessage();
        }
    }

    /** Under the name that it has now: a daemon may have moved it. */
    private static Path ramFile(long qemuPid) throws RemusException {
        return ProcessMapping.of(qemuPid).stream()
                .map(ProcessMapping::name)
                .filter(name -> name.startsWith("/dev/shm/") && name.endsWith("/ram"))
                .findFirst()
                .map(Path::of)
                .orElseThrow(() -> new CommandException("QEMU (pid %d) has no RAM file".formatted(qemuPid)));
    }
}
