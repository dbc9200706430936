package remus.qemu;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.linux.LinuxException;
import remus.linux.ProcessIdentity;

/** The life of a QEMU as this process can watch and end it: its own child, or one that a former daemon has left. Thread-safe. */
sealed interface QemuLife {
    boolean isAlive();

    /** Waits at most {@code limit}; whether it has ended. */
    boolean awaitEnd(Duration limit) throws InterruptedException;

    /** How it ended, once it has; {@link QemuExit#UNKNOWN} where only its parent could know. */
    int exitCode();

    /** Sends SIGKILL; nothing happens where it has ended. */
    void kill();

    /** Calls {@code callback} once when it has ended, on another thread. */
    void onEnd(Runnable callback);

    /** A child of this process. */
    record Child(Process process) implements QemuLife {
        @Override
        public boolean isAlive() {
            return process.isAlive();
        }

        @Override
        public boolean awaitEnd(Duration limit) throws InterruptedException {
            return process.waitFor(limit.toNanos(), TimeUnit.NANOSECONDS);
        }

        @Override
        public int exitCode() {
            return process.exitValue();
        }

        @Override
        public void kill() {
            process.destroyForcibly();
        }

        @Override
        public void onEnd(Runnable callback) {
            var _ = process.onExit().thenRun(callback);
        }
    }

    /** A process that a former daemon has started: its parent is init now, and its exit code goes there. */
    record Found(ProcessIdentity identity) implements QemuLife {
        private static final Logger LOG = LoggerFactory.getLogger(QemuLife.class);

        /** A wait is cut into pieces, so that one that nobody needs any more ends. */
        private static final Duration WATCH_TURN = Duration.ofMinutes(1);

        @Override
        public boolean isAlive() {
            return identity.isAlive();
        }

        @Override
        public boolean awaitEnd(Duration limit) throws InterruptedException {
            if (Thread.interrupted()) {
                throw new InterruptedException();
            }
            try {
                return identity.awaitEnd(limit.toNanos());
            } catch (LinuxException e) {
                throw new IllegalStateException("QEMU " + identity + " can't be watched: " + e.getMessage(), e);
            }
        }

        @Override
        public int exitCode() {
            return QemuExit.UNKNOWN;
        }

        @Override
        public void kill() {
            try {
                identity.kill();
            } catch (LinuxException e) {
                throw new IllegalStateException("QEMU " + identity + " can't be killed: " + e.getMessage(), e);
            }
        }

        @Override
        public void onEnd(Runnable callback) {
            Thread.ofPlatform().daemon().name("qemu-" + identity.pid() + "-end").start(() -> {
                try {
                    while (!awaitEnd(WATCH_TURN)) {
                        LOG.trace("QEMU {} runs", identity);
                    }
                } catch (InterruptedException | IllegalStateException e) {
                    LOG.error("QEMU {} is watched no more: its end shows on its connections only", identity, e);
                    return;
                }
                callback.run();
            });
        }
    }
}
