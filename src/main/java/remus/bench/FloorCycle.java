package remus.bench;

import remus.base.Time;
import remus.linux.LinuxException;
import remus.linux.Poller;
import remus.qemu.PauseCommands;
import remus.qemu.QmpClient;
import remus.qemu.QmpException;
import tools.jackson.databind.JsonNode;

/**
 * The least that a checkpoint on an unchanged QEMU can take: {@code stop}, {@code xen-save-devices-state} and
 * {@code cont} over the same connections, each given when the one before is answered, nothing done in between. Shares none of
 * the product's code but the commands themselves, so that it can't share its faults either.
 *
 * <p>Confined to the agent's thread; a cycle waits until it is over.
 */
final class FloorCycle implements QmpClient.Handler, AutoCloseable {
    // Not those of the product's own commands: an answer to one of them must not pass for one to these.
    private static final long STOP_ID = 6;
    private static final long SAVE_ID = 7;
    private static final long CONT_ID = 8;

    private final PauseCommands commands;
    private final Time time;
    private final long limitNanos;
    private final Poller poller = new Poller(PauseCommands.SLOTS);
    private long stoppedAtNanos;
    private long savedAtNanos;
    private long resumedAtNanos;

    /** @param limitNanos the most that one cycle may take */
    FloorCycle(PauseCommands commands, long limitNanos, Time time) {
        this.commands = commands;
        this.time = time;
        this.limitNanos = limitNanos;
    }

    /** Runs one cycle and adds its times to {@code samples}. */
    void run(PauseSamples samples) throws QmpException, LinuxException, BenchException {
        stoppedAtNanos = savedAtNanos = resumedAtNanos = 0;
        long begin = time.nanos();
        commands.stop(STOP_ID);
        while (stoppedAtNanos == 0) {
            await(begin);
        }
        commands.save(SAVE_ID);
        while (savedAtNanos == 0) {
            await(begin);
        }
        commands.cont(CONT_ID);
        while (resumedAtNanos == 0) {
            await(begin);
        }
        commands.prepare();
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
        commands.watch(poller, 0);
        poller.await(remaining);
        commands.poll(this);
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
    }
}
