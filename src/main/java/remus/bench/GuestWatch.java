package remus.bench;

import org.jspecify.annotations.Nullable;
import remus.base.RemusException;
import remus.qemu.DeviceState;
import remus.qemu.QmpException;

/** Listens to a guest that is only watched: whatever ends it ends the bench. Confined to the bench's thread. */
final class GuestWatch implements BenchVm.Watcher {
    private final StopSignal stop;
    private @Nullable QmpException failure;
    private @Nullable String end;

    GuestWatch(StopSignal stop) {
        this.stop = stop;
    }

    @Override
    public void check() throws RemusException {
        stop.check();
        QmpException failed = failure;
        if (failed != null) {
            throw failed;
        }
        if (end != null) {
            throw new BenchException("the guest has ended in the middle of the bench: " + end, null);
        }
    }

    @Override
    public void suspended() {
        // Nobody suspends it, and so neither saves nor resumes it.
    }

    @Override
    public void saved(DeviceState state) {
        // The same.
    }

    @Override
    public void resumed() {
        // The same.
    }

    @Override
    public void guestShutdown(String reason, boolean byGuest) {
        end = "shutdown, " + reason;
    }

    @Override
    public void guestReset(boolean byGuest) {
        end = "reset";
    }

    @Override
    public void guestPanicked() {
        end = "its kernel has panicked";
    }

    @Override
    public void failed(QmpException cause) {
        failure = cause;
    }
}
