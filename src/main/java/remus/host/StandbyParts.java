package remus.host;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.base.CloseStack;
import remus.base.ErrorCategory;
import remus.checkpoint.BackupMemory;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.StagedBytes;
import remus.disk.DiskException;
import remus.disk.NbdServer;
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
 * standby that dies is replaced by a fresh one with a copy of the image; until that copy is complete the image is kept.
 * Confined to the backup's agent thread.
 */
final class StandbyParts implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(StandbyParts.class);

    /** QEMU begins to listen for its interfaces on a thread of its own, which may be after it answers QMP. */
    private static final Duration NIC_LIMIT = Duration.ofSeconds(5);

    private final HostServices services;
    private final VmDefinition definition;
    private final Supplier<VmDisks> disks;
    private final Consumer<QemuExit> whenStandbyDies;
    private final CurrentMemory memory = new CurrentMemory();
    private @Nullable Standby current;

    /** One standby: all of it is closed together. */
    private record Standby(
            VmHandle handle,
            StandbyMemory memory,
            VmDisks disks,
            @Nullable NbdServer server,
            StandbyQemu qemu,
            GuestNetwork network)
            implements AutoCloseable {
        @Override
        public void close() {
            try (CloseStack parts = new CloseStack()) {
                parts.push(handle);
                parts.push(memory);
                parts.push(disks);
                if (server != null) {
                    parts.push(server);
                }
                parts.push(disks::shutDown);
                parts.push(qemu);
                parts.push(network);
            }
        }
    }

    /**
     * @param disks makes those of one standby
     * @param whenStandbyDies called on any thread when the standby's QEMU ends by itself
     */
    StandbyParts(
            HostServices services,
            VmDefinition definition,
            Supplier<VmDisks> disks,
            Consumer<QemuExit> whenStandbyDies) {
        this.services = services;
        this.definition = definition;
        this.disks = disks;
        this.whenStandbyDies = whenStandbyDies;
    }

    /** The standby's memory; the same object whichever QEMU is behind it. */
    BackupMemory memory() {
        return memory;
    }

    @Nullable
    Long qemuPid() {
        Standby waiting = current;
        return waiting == null ? null : waiting.qemu().process().identity().pid();
    }

    @Nullable
    String tapName() {
        Standby waiting = current;
        return waiting == null || waiting.network().nics().isEmpty()
                ? null
                : waiting.network().nics().getFirst().tapName();
    }

    /** Starts the standby and its network, with empty memory. */
    void start() throws StandbyException {
        current = create();
    }

    private Standby create() throws StandbyException {
        Path directory = services.runtime().of(definition.name(), services.nextGeneration());
        try (CloseStack onFailure = new CloseStack()) {
            QemuPaths paths = new QemuPaths(directory, services.state().vm(definition.name()));
            VmHandle handle = onFailure.push(new VmHandle(definition, paths, directory));
            paths.create();
            SharedRamFile ram =
                    SharedRamFile.create(paths.ramFile(), definition.memory().bytes());
            StandbyMemory fresh = onFailure.push(new StandbyMemory(GuestMemory.forWriting(ram)));
            VmDisks own = onFailure.push(disks.get());
            NbdServer server = own.serve(paths.diskSocket());
            if (server != null) {
                onFailure.push(server);
            }
            StandbyQemu qemu = onFailure.push(StandbyQemu.start(
                    services.installation(), definition, paths, services.qemuLimits(), services.time()));
            RuntimeDirectory.noteProcess(directory, qemu.process().identity().pid());
            qemu.prepare();
            GuestNetwork network = network(definition, paths);
            qemu.onExit(whenStandbyDies);
            onFailure.release();
            return new Standby(handle, fresh, own, server, qemu, network);
        } catch (IOException
                | GuestMemoryException
                | DiskException
                | QemuException
                | ActivationException
                | LinuxException e) {
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
                UnixStreamSocket socket =
                        onFailure.push(UnixStreamSocket.connectWithin(paths.nicSocket(index), NIC_LIMIT));
                socket.requestBuffers(HostServices.NIC_SOCKET_BUFFER_BYTES);
                links.add(new NicLink(socket, tap));
            }
            onFailure.release();
        }
        return new GuestNetwork(links);
    }

    /** Replaces the standby by a fresh one with the same memory; when that fails, the image stays where it is. */
    void restart() throws StandbyException {
        Standby old = current;
        if (old == null) {
            throw new StandbyException("there is no standby, nor an image, to start another one with", null);
        }
        // The new QEMU may write to its RAM file as it starts, so it gets a fresh one and then the image.
        Standby fresh = create();
        try {
            old.memory().copyTo(fresh.memory());
        } catch (CheckpointException e) {
            fresh.close();
            throw new StandbyException("the image can't be copied to a fresh standby: " + e.getMessage(), e);
        }
        current = fresh;
        old.close();
    }

    /**
     * Loads the device state, which belongs to the memory, and lets the guest run. On failure the image is kept.
     *
     * @param still it was paused by command, and stays so
     */
    VmParts activate(StagedBytes deviceState, boolean still) throws StandbyException {
        Standby waiting = current;
        if (waiting == null) {
            throw new StandbyException("no standby is ready", null);
        }
        try {
            for (NicLink nic : waiting.network().nics()) {
                nic.bringUp();
            }
            waiting.disks().guest().activate();
            RunningGuest guest = waiting.qemu().activate(deviceState, still);
            current = null;
            waiting.memory().close();
            return new VmParts(waiting.handle(), guest, waiting.network(), waiting.disks(), waiting.server());
        } catch (ActivationException | LinuxException e) {
            throw new StandbyException("the checkpoint can't be loaded: " + e.getMessage(), e);
        }
    }

    @Override
    public void close() {
        Standby waiting = current;
        current = null;
        if (waiting != null) {
            try {
                waiting.close();
            } catch (IllegalStateException e) {
                LOG.warn("the standby of {} was not ended cleanly", definition.name(), e);
            }
        }
    }

    /** Lets the receiver keep one memory while the QEMU behind it is replaced. */
    private final class CurrentMemory implements BackupMemory {
        private StandbyMemory memory() throws CheckpointException {
            Standby waiting = current;
            if (waiting == null) {
                throw new CheckpointException(ErrorCategory.DEGRADE, "the standby has no memory now", null);
            }
            return waiting.memory();
        }

        @Override
        public long pageCount() {
            return definition.memory().bytes() / GuestMemory.PAGE_BYTES;
        }

        @Override
        public void write(long firstPage, int count, MemorySegment data, long offset) throws CheckpointException {
            memory().write(firstPage, count, data, offset);
        }

        @Override
        public void zero(long firstPage, int count) throws CheckpointException {
            memory().zero(firstPage, count);
        }

        @Override
        public byte[] digest() throws CheckpointException {
            return memory().digest();
        }
    }
}
