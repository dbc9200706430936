package remus.qemu;

import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.linux.Errno;
import remus.linux.LinuxException;
import remus.linux.RealTime;

/**
 * Has the threads that the pauses and the output of protected guests wait for run ahead of all usual ones: VMs' agents, and QEMU's
 * threads but for the vCPUs. On processors that are busy with guests each of the wake-ups of a pause would otherwise wait for a
 * processor, which takes longer than what the pause has to do. Only while checkpoints go on: what copies whole memories takes its
 * turn with the guests.
 *
 * <p>Where the system does not allow it, they run as any other thread, which is said once. Thread-safe.
 */
public final class RealTimeThreads {
    private static final Logger LOG = LoggerFactory.getLogger(RealTimeThreads.class);

    private final boolean wanted;
    private final AtomicBoolean refused = new AtomicBoolean();

    /** @param wanted whether this host's daemon is to do it */
    public RealTimeThreads(boolean wanted) {
        this.wanted = wanted;
    }

    /** The calling thread, an agent, begins or ends to be one of them. */
    public void setOwn(boolean realTime) {
        set(RealTime.SELF, realTime);
    }

    /** QEMU's threads begin or end to be some of them. */
    public void set(QemuProcess qemu, boolean realTime) {
        if (wanted) {
            qemu.emulatorThreads().forEach(thread -> set(thread, realTime));
        }
    }

    private void set(long thread, boolean realTime) {
        if (!wanted || refused.get()) {
            return;
        }
        try {
            RealTime.set(thread, realTime);
        } catch (LinuxException e) {
            if (e.errno() != Errno.ESRCH && refused.compareAndSet(false, true)) {
                LOG.info(
                        "pauses take longer on busy processors: no thread gets real-time priority here ({}; it takes CAP_SYS_NICE)",
                        e.getMessage());
            }
        }
    }

    /** Those that one session's pauses wait for. */
    @FunctionalInterface
    public interface OfSession {
        /** On the agent: it and the guest's QEMU are, or are no more, to run ahead of others. */
        void setRealTime(boolean realTime);
    }

    public OfSession ofSession(QemuProcess qemu) {
        return realTime -> {
            setOwn(realTime);
            set(qemu, realTime);
        };
    }
}
