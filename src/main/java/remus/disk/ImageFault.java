package remus.disk;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import remus.linux.Errno;
import remus.linux.LinuxException;

/**
 * Operations that a test may have fail as on a broken disk: the daemon is started with
 * {@code -Dremus.fault.image=OPERATION@NAME@FILE}, and from when FILE exists on, that operation on the image whose file
 * name is NAME fails with EIO, or what {@link #TEAR} or {@link #HANG} says happens. Without the property nothing fails.
 */
enum ImageFault {
    READ,
    /** Whatever changes the image: zeros and holes too. */
    WRITE,
    SYNC,
    /** An fdatasync does not end while FILE exists. */
    HANG,
    /** The daemon dies, as of SIGKILL, with the first half of a write in the image and the rest of it missing. */
    TEAR;

    /** Exit code of a process that SIGKILL has ended, as shells tell it. */
    static final int KILLED = 137;

    private static final long HANG_POLL_MILLIS = 20;

    /** Name of the system property. */
    static final String PROPERTY = "remus.fault.image";

    /** What is to fail on one image. */
    record Plan(ImageFault operation, Path trigger) {
        /** Fails {@code attempted} if it is the operation of this plan and the time has come. */
        void reached(ImageFault attempted) throws LinuxException {
            if (isDue(attempted)) {
                throw new LinuxException("injected fault " + operation, Errno.EIO);
            }
        }

        boolean isDue(ImageFault attempted) {
            return attempted == operation && Files.exists(trigger);
        }

        /** Returns when nothing hangs, or any more. Like the system call, it can't be interrupted. */
        void awaitNoHang() {
            boolean interrupted = false;
            while (isDue(HANG)) {
                try {
                    TimeUnit.MILLISECONDS.sleep(HANG_POLL_MILLIS);
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** The plan for {@code image}, if there is one. */
    static @Nullable Plan planned(Path image) {
        String[] fault = System.getProperty(PROPERTY, "").split("@", -1);
        boolean meant = fault.length == 3 && image.endsWith(fault[1]);
        return meant ? new Plan(valueOf(fault[0]), Path.of(fault[2])) : null;
    }
}
