package remus.host;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.StandbyMode;
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
 * What waits on the backup for a VM: its memory, and a standby's QEMU with a network of TAPs that are still down. A QEMU
 * that dies is replaced by a fresh one with a copy of the image; until that copy is complete the image is kept.
 *
 * <p>A cold standby is the memory alone. Its QEMU is started by {@link #activate}, over the very file: so {@link #start}
 * first tries one out, which shows that this host can start it and that it leaves its memory alone meanwhile, and ends it
 * again. Confined to the backup's agent thread.
 */
final class StandbyParts implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(StandbyParts.class);

    /** QEMU begins to listen for its interfaces on a thread of its own, which may be after it answers QMP. */
    private static final Duration NIC_LIMIT = Duration.ofSeconds(5);

    private final HostServices services;
    private final VmDefinition definition;
    private final StandbyMode mode;
    private final Supplier<VmDisks> disks;
    private final Consumer<QemuExit> whenStandbyDies;
    private final CurrentMemory memory = new CurrentMemory();
    private @Nullable Image image;
    private @Nullable Machine machine;

    /** The VM's memory, in a runtime directory of its own. */
    private record Image(VmHandle handle, StandbyMemory memory) implements AutoCloseable {
        @Override
        public void close() {
            try (CloseStack parts = new CloseStack()) {
                parts.push(handle);
                parts.push(memory);
            }
        }
    }

    /**
     * A QEMU over an image, and what it is connected to; closed before that.
     *
     * @param isGivenUp its end is no news: the next one may run by the time that it is told
     */
    private record Machine(
            VmDisks disks, @Nullable NbdServer server, StandbyQemu qemu, GuestNetwork network, AtomicBoolean isGivenUp)
            implements AutoCloseable {
        @Override
        public void close() {
            try (CloseStack parts = new CloseStack()) {
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
            StandbyMode mode,
            Supplier<VmDisks> disks,
            Consumer<QemuExit> whenStandbyDies) {
        this.services = services;
        this.definition = definition;
        this.mode = mode;
        this.disks = disks;
        this.whenStandbyDies = whenStandbyDies;
    }

    /** The standby's memory; the same object whichever QEMU is behind it. */
    BackupMemory memory() {
        return memory;
    }

    @Nullable
    Long qemuPid() {
        Machine waiting = machine;
        return waiting == null ? null : waiting.qemu().process().identity().pid();
    }

    @Nullable
    String tapName() {
        Machine waiting = machine;
        return waiting == null || waiting.network().nics().isEmpty()
                ? null
                : waiting.network().nics().getFirst().tapName();
    }

    /** Prepares what is to wait, with empty memory. */
    void start() throws StandbyException {
        if (mode == StandbyMode.COLD) {
            tryOut();
        }
        image = createImage();
        if (mode == StandbyMode.WARM) {
            machine = startMachine(image);
        }
    }

    /** QEMU is started as it will be for the activation, and ended. */
    private void tryOut() throws StandbyException {
        try (Image trial = createImage()) {
            createMachine(trial).close();
            if (!trial.memory().isEmpty()) {
                throw new StandbyException(
                        "QEMU writes to the memory of a %s as it starts, so a cold standby is not possible: protect it"
                                        .formatted(definition.machine().key())
                                + " with --standby warm",
                        null);
            }
        } catch (CheckpointException e) {
            throw new StandbyException("the memory of the standby can't be read: " + e.getMessage(), e);
        }
    }

    private Image createImage() throws StandbyException {
        try {
            VmHandle handle = createDirectory();
            try (CloseStack onFailure = new CloseStack()) {
                onFailure.push(handle);
                SharedRamFile ram = SharedRamFile.create(
                        handle.paths().ramFile(), definition.memory().bytes());
                StandbyMemory fresh = new StandbyMemory(GuestMemory.forWriting(ram));
                onFailure.release();
                return new Image(handle, fresh);
            }
        } catch (IOException | GuestMemoryException e) {
            throw notStarted(e);
        }
    }

    private VmHandle createDirectory() throws IOException {
        Path directory = services.runtime().of(definition.name(), services.nextGeneration());
        QemuPaths paths = new QemuPaths(directory, services.state().vm(definition.name()));
        try (CloseStack onFailure = new CloseStack()) {
            VmHandle handle = onFailure.push(new VmHandle(definition, paths, directory));
            paths.create();
            onFailure.release();
            return handle;
        }
    }

    /** Starts the QEMU that is to take the VM over. */
    private Machine startMachine(Image over) throws StandbyException {
        Machine started = createMachine(over);
        started.qemu().onExit(exit -> {
            if (!started.isGivenUp().get()) {
                whenStandbyDies.accept(exit);
            }
        });
        return started;
    }

    private Machine createMachine(Image over) throws StandbyException {
        QemuPaths paths = over.handle().paths();
        try (CloseStack onFailure = new CloseStack()) {
            VmDisks own = onFailure.push(disks.get());
            NbdServer server = own.serve(paths.diskSocket());
            if (server != null) {
                onFailure.push(server);
            }
            StandbyQemu qemu = onFailure.push(StandbyQemu.start(
                    services.installation(), definition, paths, services.qemuLimits(), services.time()));
            RuntimeDirectory.noteProcess(
                    over.handle().directory(), qemu.process().identity().pid());
            qemu.prepare();
            GuestNetwork network = onFailure.push(network(definition, paths));
            qemu.awaitNics(network.nics().size());
            services.threads()
                    .set(qemu.process(), true); // it sleeps until the activation, which is not to wait for others
            onFailure.release();
            return new Machine(own, server, qemu, network, new AtomicBoolean());
        } catch (IOException | DiskException | QemuException | ActivationException | LinuxException e) {
            throw notStarted(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new StandbyException("the daemon is ending", e);
        }
    }

    private static StandbyException notStarted(Exception cause) {
        return new StandbyException("the standby can't be started: " + cause.getMessage(), cause);
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
        Image old = image;
        if (old == null) {
            throw new StandbyException("there is no standby, nor an image, to start another one with", null);
        }
        if (mode == StandbyMode.COLD) {
            endMachine();
            image = inFreshDirectory(old);
        } else {
            restartWarm(old);
        }
    }

    /** A QEMU that has ended leaves its sockets behind, and the next one must not find them. */
    private Image inFreshDirectory(Image old) throws StandbyException {
        try (CloseStack onFailure = new CloseStack()) {
            VmHandle handle = onFailure.push(createDirectory());
            Files.move(old.handle().paths().ramFile(), handle.paths().ramFile(), StandardCopyOption.ATOMIC_MOVE);
            onFailure.release();
            old.handle().close();
            return new Image(handle, old.memory());
        } catch (IOException e) {
            throw notStarted(e);
        }
    }

    /** The new QEMU may write to its RAM file as it starts, so it gets a fresh one and then the image. */
    private void restartWarm(Image old) throws StandbyException {
        try (CloseStack onFailure = new CloseStack()) {
            Image fresh = onFailure.push(createImage());
            Machine started = onFailure.push(startMachine(fresh));
            old.memory().copyTo(fresh.memory());
            onFailure.release();
            endMachine();
            old.close();
            image = fresh;
            machine = started;
        } catch (CheckpointException e) {
            throw new StandbyException("the image can't be copied to a fresh standby: " + e.getMessage(), e);
        }
    }

    /**
     * Loads the device state, which belongs to the memory, and lets the guest run. On failure the image is kept.
     *
     * @param still it was paused by command, and stays so
     */
    VmParts activate(StagedBytes deviceState, boolean still) throws StandbyException {
        Image own = image;
        if (own == null) {
            throw new StandbyException("no standby is ready", null);
        }
        if (machine == null && mode == StandbyMode.COLD) {
            machine = startMachine(own);
        }
        Machine waiting = machine;
        if (waiting == null) {
            throw new StandbyException("no standby is ready", null);
        }
        try {
            for (NicLink nic : waiting.network().nics()) {
                nic.bringUp();
            }
            waiting.disks().guest().activate();
            RunningGuest guest = waiting.qemu().activate(deviceState, still);
            image = null;
            machine = null;
            // Unmapping it takes milliseconds, for which no client is to wait.
            Thread.ofVirtual().name("standby-memory").start(() -> closeQuietly(own.memory()));
            return new VmParts(own.handle(), guest, waiting.network(), waiting.disks(), waiting.server());
        } catch (ActivationException | LinuxException e) {
            waiting.isGivenUp().set(true);
            throw new StandbyException("the checkpoint can't be loaded: " + e.getMessage(), e);
        }
    }

    /** Whether its QEMU is started by {@link #activate} only. */
    boolean isCold() {
        return mode == StandbyMode.COLD;
    }

    @Override
    public void close() {
        endMachine();
        Image own = image;
        image = null;
        if (own != null) {
            closeQuietly(own);
        }
    }

    private void endMachine() {
        Machine waiting = machine;
        machine = null;
        if (waiting != null) {
            waiting.isGivenUp().set(true);
            closeQuietly(waiting);
        }
    }

    private void closeQuietly(AutoCloseable part) {
        try (CloseStack closing = new CloseStack()) {
            closing.push(part);
        } catch (IllegalStateException e) {
            LOG.warn("the standby of {} was not ended cleanly", definition.name(), e);
        }
    }

    /** Lets the receiver keep one memory while the QEMU behind it is replaced. */
    private final class CurrentMemory implements BackupMemory {
        private StandbyMemory memory() throws CheckpointException {
            Image own = image;
            if (own == null) {
                throw new CheckpointException(ErrorCategory.DEGRADE, "the standby has no memory now", null);
            }
            return own.memory();
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
        public void read(long page, MemorySegment target, long offset) throws CheckpointException {
            memory().read(page, target, offset);
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
