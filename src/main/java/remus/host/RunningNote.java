package remus.host;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.availability.OwnershipRecord;

/**
 * Keeps {@link RunningVm} up to date in a QEMU's runtime directory, each time replaced as a whole. It lies on a tmpfs like
 * the guest's RAM: both outlive the daemon and neither outlives the host.
 *
 * <p>What can't be written is logged and is in what is written next, but for a session, which does not begin without, and
 * images that may be another host's, which are not handed over without. A
 * daemon that finds an older note asks a backup that is none any more and is told so, or keeps to an older wish. Confined to
 * the VM's agent thread as soon as there is one.
 */
final class RunningNote {
    private static final Logger LOG = LoggerFactory.getLogger(RunningNote.class);
    private static final String FILE = "vm.json";

    private final Path directory;
    private RunningVm current;

    private RunningNote(Path directory, RunningVm current) {
        this.directory = directory;
        this.current = current;
    }

    /** Begins with what is known, or goes on with what a former daemon has written; writes nothing yet. */
    static RunningNote begin(Path directory, RunningVm known) {
        return new RunningNote(directory, known);
    }

    static boolean isIn(Path directory) {
        return Files.exists(directory.resolve(FILE));
    }

    /** @throws IllegalArgumentException saying what is wrong with it */
    static RunningVm read(Path directory) throws IOException {
        return RunningVm.decode(Files.readString(directory.resolve(FILE)));
    }

    /** What is noted. */
    RunningVm vm() {
        return current;
    }

    /** On return a daemon that finds the VM's QEMU can adopt it. */
    void write() throws IOException {
        write(current);
    }

    /**
     * This host owns the VM alone by that record, and no session is left.
     *
     * @param spent the record's next term was used for a session
     */
    void alone(OwnershipRecord record, boolean spent) {
        change(current.ownedBy(record, spent));
    }

    /** A session is about to begin: from its first full checkpoint on the backup may take over. */
    void session(RunningVm.Session session) throws IOException {
        RunningVm next = current.protectedBy(session);
        write(next);
        current = next;
    }

    /** The session's last checkpoint is about to be sent, and with it its backup may come to own the images of this VM. */
    void withheld() throws IOException {
        RunningVm next = current.withholding();
        write(next);
        current = next;
    }

    /** How the VM is protected or would be, and whether it is to be. */
    void wish(ProtectionSettings protection, boolean wanted) {
        change(current.wished(protection, wanted));
    }

    /** Whether the guest is to stand still by command. */
    void paused(boolean paused) {
        change(current.paused(paused));
    }

    private void change(RunningVm next) {
        if (next.equals(current)) {
            return;
        }
        current = next;
        try {
            write(next);
        } catch (IOException e) {
            LOG.warn("{} is not up to date: {}", directory.resolve(FILE), e.toString());
        }
    }

    private void write(RunningVm next) throws IOException {
        Path partial = directory.resolve(FILE + ".new");
        Files.writeString(partial, next.encode());
        Files.move(
                partial, directory.resolve(FILE), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }
}
