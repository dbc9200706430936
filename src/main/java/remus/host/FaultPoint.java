package remus.host;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * Places where a test may have a whole host die, to prove that nothing depends on luck there: the daemon is started with
 * {@code -Dremus.fault=POINT@EPOCH@FILE}, and on reaching the point in that epoch or a later one it kills the processes
 * whose ids are in FILE, itself last if it is among them; with {@code @STOP} behind that, they are stopped (SIGSTOP) until
 * the test wakes them. Without that property nothing happens anywhere.
 */
enum FaultPoint {
    /** On the primary: the guest stands still, its memory has been captured. */
    PAUSED,
    /** On the primary: the checkpoint is on its way. */
    TRANSFERRING,
    /** On the primary: the acknowledgement is here, the output has not left. */
    ACKNOWLEDGED,
    /** On the primary: the last checkpoint is committed, and the backup is about to be told to take over. */
    HANDING_OVER,
    /** On the backup: the checkpoint is whole and about to be applied. */
    APPLYING,
    /** On the backup: disk writes are safe in the redo log, and none of them is in an image. */
    LOGGED,
    /** On the backup: the record says that it activates, and nothing is loaded yet. */
    ACTIVATING,
    /** On the backup: the guest runs, and the record does not say so yet. */
    ACTIVATED;

    private static final @Nullable FaultPoint CHOSEN;
    private static final long CHOSEN_EPOCH;
    private static final Path VICTIMS;
    private static final boolean STOPS;
    private static final AtomicBoolean DONE = new AtomicBoolean();

    static {
        String[] fault = System.getProperty("remus.fault", "").split("@", -1);
        CHOSEN = fault.length >= 3 ? valueOf(fault[0]) : null;
        CHOSEN_EPOCH = fault.length >= 3 ? Long.parseLong(fault[1]) : 0;
        VICTIMS = Path.of(fault.length >= 3 ? fault[2] : "/");
        STOPS = fault.length == 4 && fault[3].equals("STOP");
    }

    /** Kills whom the test has named if this is the place and the time, and there is anybody named yet. */
    void reached(long epoch) {
        if (this == CHOSEN
                && epoch >= CHOSEN_EPOCH
                && Files.isRegularFile(VICTIMS)
                && DONE.compareAndSet(false, true)) {
            strike();
        }
    }

    private static void strike() {
        try {
            List<Long> victims =
                    Files.readString(VICTIMS).lines().map(Long::valueOf).toList();
            if (STOPS) {
                stop(victims);
                return;
            }
            for (long pid : victims) {
                ProcessHandle.of(pid)
                        .filter(process -> !process.equals(ProcessHandle.current()))
                        .ifPresent(ProcessHandle::destroyForcibly);
            }
            if (victims.contains(ProcessHandle.current().pid())) {
                Runtime.getRuntime().halt(137);
            }
        } catch (IOException e) {
            throw new IllegalStateException("the fault's victims can't be read", e);
        }
    }

    /** Returns when they were woken, if this process is among them. */
    private static void stop(List<Long> victims) throws IOException {
        List<String> command = new ArrayList<>(List.of("kill", "-STOP"));
        victims.forEach(pid -> command.add(Long.toString(pid)));
        try {
            new ProcessBuilder(command).start().waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
