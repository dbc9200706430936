package remus.qemu;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import remus.base.Invariant;
import remus.linux.LinuxException;
import remus.linux.Poller;
import tools.jackson.databind.JsonNode;

/**
 * The commands of a checkpoint's pause: stop, save the devices, cont. QEMU (7.2, monitor_can_read() in monitor/monitor.c) reads
 * its monitors' sockets byte by byte, with some seven system calls each: 4 to 6 us for a byte, and a third of a pause for the
 * three. So each is said while the guest runs, or while QEMU is busy with the one before, all but its last byte
 * ({@link QmpClient#begin}). A monitor takes one command at a time, hence two of them: one stops and resumes, the other one saves.
 *
 * <p>The next command is to be given when the one before has been answered, for what two monitors are told has no order. Confined
 * to the VM's agent thread. Replies go to the handler of {@link #poll}, as if they carried the ids given here.
 */
public final class PauseCommands implements AutoCloseable {
    /** Slots that {@link #watch} takes of a poller. */
    public static final int SLOTS = 2;

    private enum Begun {
        NOTHING,
        STOP,
        CONT
    }

    private final QmpClient control;
    private final QmpClient saver;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment stop = begun("stop", Map.of());
    private final MemorySegment cont = begun("cont", Map.of());
    private final MemorySegment save;
    private final WithoutEvents withoutEvents = new WithoutEvents();
    private Begun begun = Begun.NOTHING;
    private boolean saveBegun;

    /** @param paths of that QEMU; closed by it are neither this object's connections nor the file they name */
    PauseCommands(QemuProcess process, QemuPaths paths) throws IOException {
        control = process.qmp();
        saver = process.saver();
        // The command's name is historical: it saves all devices but RAM, under any accelerator.
        save = begun(
                "xen-save-devices-state", Map.of("filename", paths.stateFileFor(process.identity()), "live", false));
    }

    private MemorySegment begun(String command, Map<String, ?> arguments) {
        return arena.allocateFrom(ValueLayout.JAVA_BYTE, QmpClient.encodeBegun(command, arguments));
    }

    /** The guest runs, and is to be stopped and saved some time: makes that quick. May be left out. */
    public void prepare() throws QmpException {
        begin(Begun.STOP);
        beginSave();
    }

    /** Stops the guest; one that stands still already stays so. */
    public void stop(long id) throws QmpException {
        begin(Begun.STOP);
        finish(id);
    }

    /** Has QEMU save the devices of the guest, which has been stopped. */
    public void save(long id) throws QmpException {
        beginSave();
        saveBegun = false;
        saver.finish(id);
        begin(Begun.CONT);
    }

    /** Lets the guest run. */
    public void cont(long id) throws QmpException {
        begin(Begun.CONT);
        finish(id);
    }

    private void begin(Begun wanted) throws QmpException {
        if (begun != wanted) {
            control.begin(wanted == Begun.STOP ? stop : cont);
            begun = wanted;
        }
    }

    private void finish(long id) throws QmpException {
        begun = Begun.NOTHING;
        control.finish(id);
    }

    private void beginSave() throws QmpException {
        if (!saveBegun) {
            saver.begin(save);
            saveBegun = true;
        }
    }

    /** Has {@code poller} wait for what QEMU says, with {@link #SLOTS} slots from {@code firstSlot} on. */
    public void watch(Poller poller, int firstSlot) throws LinuxException {
        poller.enable(firstSlot, control.descriptor(), true, control.hasUnsent());
        poller.enable(firstSlot + 1, saver.descriptor(), true, saver.hasUnsent());
    }

    /** Whether {@link #poll} has something to do, as {@code poller} has found. */
    public static boolean isReady(Poller poller, int firstSlot) {
        return isReadyAt(poller, firstSlot) || isReadyAt(poller, firstSlot + 1);
    }

    private static boolean isReadyAt(Poller poller, int slot) {
        return poller.readable(slot) || poller.writable(slot);
    }

    /**
     * Hands over all that has come; returns at once.
     *
     * @param handler of the replies, and of each event once
     */
    public void poll(QmpClient.Handler handler) throws QmpException {
        control.poll(handler);
        withoutEvents.handler = handler;
        saver.poll(withoutEvents);
    }

    /** Whether messages wait that no descriptor tells of. */
    boolean hasQueued() {
        return control.hasQueued() || saver.hasQueued();
    }

    @Override
    public void close() {
        arena.close();
    }

    /** QEMU tells each of its monitors of each event. */
    private static final class WithoutEvents implements QmpClient.Handler {
        private QmpClient.@Nullable Handler handler;

        private QmpClient.Handler handler() {
            return Invariant.present(handler, "a handler, during poll()");
        }

        @Override
        public void returned(long id, JsonNode value) {
            handler().returned(id, value);
        }

        @Override
        public void refused(long id, String errorClass, String description) {
            handler().refused(id, errorClass, description);
        }

        @Override
        public void event(String name, JsonNode data) {}
    }
}
