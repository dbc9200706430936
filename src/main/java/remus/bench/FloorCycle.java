package remus.bench;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import remus.base.Time;
import remus.linux.LinuxException;
import remus.linux.Poller;
import remus.qemu.QmpClient;
import remus.qemu.QmpException;
import tools.jackson.databind.JsonNode;

/**
 * The least that a checkpoint on an unchanged QEMU can take: {@code stop}, {@code xen-save-devices-state} and
 * {@code cont} over the same connection, stop and save sent in one go, nothing done in between. Shares none of the
 * product's code but the QMP client, so that it can't share its faults either.
 *
 * <p>Confined to the agent's thread; a cycle waits until it is over.
 */
final class FloorCycle implements QmpClient.Handler, AutoCloseable {
    // Not those of the product's own commands: an answer to one of them must not pass for one to these.
    private static final long STOP_ID = 6;
    private static final long SAVE_ID = STOP_ID + 1;
    private static final long CONT_ID = 8;

    private final QmpClient qmp;
    private final Time time;
    private final long limitNanos;
    private final Poller poller = new Poller(1);
    private final Arena arena = Arena.ofConfined();
    private final MemorySegment stopAndSave;
    private final MemorySegment cont;
    private long stoppedAtNanos;
    private long savedAtNanos;
    private long resumedAtNanos;

    /**
     * @param stateFile where QEMU saves its devices, as it understands it
     * @param limitNanos the most that one cycle may take
     */
    FloorCycle(QmpClient qmp, String stateFile, long limitNanos, Time time) {
        this.qmp = qmp;
        this.time = time;
        this.limitNanos = limitNanos;
        ByteArrayOutputStream both = new ByteArrayOutputStream();
        both.writeBytes(QmpClient.encodeBare("stop", Map.of()));
        both.writeBytes(QmpClient.encodeBare("xen-save-devices-state", Map.of("filename", stateFile, "live", false)));
        stopAndSave = arena.allocateFrom(ValueLayout.JAVA_BYTE, both.toByteArray());
        cont = arena.allocateFrom(ValueLayout.JAVA_BYTE, QmpClient.encodeBare("cont", Map.of()));
    }

    /** Runs one cycle and adds its times to {@code samples}. */
    void run(PauseSamples samples) throws QmpException, LinuxException, BenchException {
        stoppedAtNanos = savedAtNanos = resumedAtNanos = 0;
        long begin = time.nanos();
        qmp.sendBare(stopAndSave, STOP_ID, 2);
        while (savedAtNanos == 0) {
            await(begin);
        }
        qmp.sendBare(cont, CONT_ID, 1);
        while (resumedAtNanos == 0) {
            await(begin);
        }
        samples.floor.add(resumedAtNanos - begin);
        samples.floorStop.add(stoppedAtNanos - begin);
        samples.floorSave.add(savedAtNanos - stoppedAtNanos);
        samples.floorCont.add(resumedAtNanos - savedAtNanos);
    }

    private void await(long begin) throws QmpException, LinuxException, BenchException {
        long remaining = begin + limitNanos - time.nanos();
        if (remaining <= 0) {
            throw new BenchException("QEMU did not answer within " + limitNanos / 1_000_000 + " ms", null);
        }
        poller.enable(0, qmp.descriptor(), true, qmp.hasUnsent());
        poller.await(remaining);
        qmp.poll(this);
    }

    @Override
    public void returned(long id, JsonNode value) {
        if (id == STOP_ID) {
            stoppedAtNanos = time.nanos();
        } else if (id == SAVE_ID) {
            savedAtNanos = time.nanos();
        } else if (id == CONT_ID) {
            resumedAtNanos = time.nanos();
        }
    }

    @Override
    public void refused(long id, String errorClass, String description) {
        throw new IllegalStateException("QEMU refused a command of the floor: id=" + id + " " + description);
    }

    @Override
    public void event(String name, JsonNode data) {
        // STOP and RESUME say what the answers say; a guest that ends shows at the next cycle.
    }

    @Override
    public void close() {
        poller.close();
        arena.close();
    }
}
