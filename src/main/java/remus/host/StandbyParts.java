package remus.host;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.base.CloseStack;
import remus.base.ErrorCategory;
import remus.checkpoint.BackupMemory;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.CheckpointReceiver;
import remus.linux.LinuxException;
import remus.linux.Tap;
import remus.linux.UnixStreamSocket;
import remus.memory.GuestMemory;
import remus.memory.GuestMemoryException;
import remus.memory.SharedRamFile;
import remus.memory.StandbyMemory;
import remus.network.GuestNetwork;
import remus.network.NicLink;
import remus.qemu.ActivationException;
import remus.qemu.QemuException;
import remus.qemu.QemuExit;
import remus.qemu.QemuPaths;
import remus.qemu.RunningGuest;
import remus.qemu.StandbyQemu;
import remus.qemu.VmDefinition;

/**
 * What waits on the backup for a VM: the standby's QEMU, its memory, its network with TAPs that are still down. A
 * standby that dies is replaced by a fresh one with a copy of the image. Confined to the backup's agent thread.
 */
final class StandbyParts implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(StandbyParts.class);

    private final HostServices services;
    private final VmDefinition definition;
    private final Consumer<QemuExit> whenStandbyDies;
    private final ReplaceableMemory memory = new ReplaceableMemory();

    private @Nullable VmHandle handle;
    private @Nullable StandbyQemu standby;
    private @Nullable GuestNetwork network;

    /** @param whenStandbyDies called on any thread when the standby's QEMU ends by itself */
    StandbyParts(HostServices services, VmDefinition definition, Consumer<QemuExit> whenStandbyDies) {
        this.services = services;
        this.definition = definition;
        this.whenStandbyDies = whenStandbyDies;
    }

    /** The standby's memory; the same object whichever QEMU is behind it. */
    BackupMemory memory() {
        return memory;
    }

    VmDefinition definition() {
        return definition;
    }

    @Nullable
    Long qemuPid() {
        StandbyQemu waiting = standby;
        return waiting == null ? null : waiting.process().identity().pid();
    }

    @Nullable
    String tapName() {
        GuestNetwork waiting = network;
        return waiting == null || waiting.nics().isEmpty()
                ? null
                : waiting.nics().getFirst().tapName();
    }

    /** Starts the standby and its network, with empty memory. */
    void start() throws StandbyException {
        Path directory = services.runtime().of(definition.name(), services.nextGeneration());
        try {
            QemuPaths paths = new QemuPaths(directory, services.state().vm(definition.name()));
            paths.create();
            handle = new VmHandle(definition, paths, directory);
            SharedRamFile ram =
                    SharedRamFile.create(paths.ramFile(), definition.memory().bytes());
            memory.replace(new StandbyMemory(GuestMemory.forWriting(ram)));
            StandbyQemu started = StandbyQemu.start(
                    services.installation(), definition, paths, services.qemuLimits(), services.time());
            standby = started;
            started.onExit(whenStandbyDies);
            RuntimeDirectory.noteProcess(directory, started.process().identity().pid());
            started.prepare();
            network = network(definition, paths);
        } catch (IOException | GuestMemoryException | QemuException | ActivationException | LinuxException e) {
            throw new StandbyException("the standby can't be started: " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new StandbyException("the daemon is ending", e);
        }
    }

    /** Connects QEMU's NIC sockets to TAPs on the bridges of the definition; the TAPs are still down. */
    static GuestNetwork network(VmDefinition definition, QemuPaths paths) throws LinuxException {
        List<NicLink> links = new ArrayList<>();
        try (CloseStack onFailure = new CloseStack()) {
            for (int index = 0; index < definition.nics().size(); index++) {
                Tap tap = onFailure.push(Tap.open("remus%d"));
                tap.joinBridge(definition.nics().get(index).bridge());
                UnixStreamSocket socket = onFailure.push(UnixStreamSocket.connect(paths.nicSocket(index)));
                socket.requestBuffers(HostServices.NIC_SOCKET_BUFFER_BYTES);
                links.add(new NicLink(socket, tap));
            }
            onFailure.release();
        }
        return new GuestNetwork(links);
    }

    /** Replaces a dead standby by a fresh one with the same memory. */
    void restart() throws StandbyException {
        VmHandle dead = handle;
        GuestNetwork deadNetwork = network;
        StandbyQemu deadStandby = standby;
        if (dead == null) {
            throw new StandbyException("there was no standby to restart", null);
        }
        if (deadNetwork != null) {
            deadNetwork.close();
            network = null;
        }
        if (deadStandby != null) {
            deadStandby.close();
            standby = null;
        }
        // The new QEMU may write to its RAM file as it starts, so it gets a fresh one and then the image.
        try (StandbyMemory image = memory.detach()) {
            start();
            image.copyTo(memory.current());
        } catch (CheckpointException e) {
            throw new StandbyException("the image can't be copied to a fresh standby: " + e.getMessage(), e);
        } finally {
            dead.close();
        }
    }

    /** An activated VM: what {@link #activate} hands over. */
    record Activated(RunningGuest guest, GuestNetwork network, VmHandle handle) {}

    /** Loads the receiver's last whole checkpoint and lets the guest run. On failure the image is kept. */
    Activated activate(CheckpointReceiver receiver) throws StandbyException {
        StandbyQemu waiting = standby;
        GuestNetwork ready = network;
        VmHandle own = handle;
        if (waiting == null || ready == null || own == null) {
            throw new StandbyException("no standby is ready", null);
        }
        try {
            for (NicLink nic : ready.nics()) {
                nic.bringUp();
            }
            RunningGuest guest = waiting.activate(receiver.deviceState());
            standby = null;
            network = null;
            handle = null;
            memory.close();
            return new Activated(guest, ready, own);
        } catch (ActivationException | LinuxException e) {
            throw new StandbyException("the checkpoint can't be loaded: " + e.getMessage(), e);
        }
    }

    @Override
    public void close() {
        try (CloseStack parts = new CloseStack()) {
            VmHandle own = handle;
            if (own != null) {
                parts.push(own);
            }
            parts.push(memory);
            StandbyQemu waiting = standby;
            if (waiting != null) {
                parts.push(waiting);
            }
            GuestNetwork ready = network;
            if (ready != null) {
                parts.push(ready);
            }
            handle = null;
            standby = null;
            network = null;
        } catch (IllegalStateException e) {
            LOG.warn("the standby of {} was not ended cleanly", definition.name(), e);
        }
    }

    /** Whether its RAM file is still there; false once it was handed over or closed. */
    boolean exists() {
        VmHandle own = handle;
        return own != null && Files.exists(own.paths().ramFile());
    }

    /** Lets the receiver keep one memory while the QEMU behind it is replaced. */
    private static final class ReplaceableMemory implements BackupMemory, AutoCloseable {
        private @Nullable StandbyMemory current;

        void replace(StandbyMemory next) {
            current = next;
        }

        StandbyMemory current() throws CheckpointException {
            StandbyMemory memory = current;
            if (memory == null) {
                throw new CheckpointException(ErrorCategory.DEGRADE, "the standby has no memory now", null);
            }
            return memory;
        }

        StandbyMemory detach() throws CheckpointException {
            StandbyMemory memory = current();
            current = null;
            return memory;
        }

        @Override
        public long pageCount() {
            StandbyMemory memory = current;
            return memory == null ? 0 : memory.pageCount();
        }

        @Override
        public void write(long firstPage, int count, MemorySegment data, long offset) throws CheckpointException {
            current().write(firstPage, count, data, offset);
        }

        @Override
        public void zero(long firstPage, int count) throws CheckpointException {
            current().zero(firstPage, count);
        }

        @Override
        public byte[] digest() throws CheckpointException {
            return current().digest();
        }

        @Override
        public void close() {
            StandbyMemory memory = current;
            if (memory != null) {
                current = null;
                memory.close();
            }
        }
    }
}
