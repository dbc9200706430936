package remus.host;

import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.api.DiskStatus;
import remus.api.StandbyMode;
import remus.base.CloseStack;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Invariant;
import remus.base.Term;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.CheckpointReceiver;
import remus.checkpoint.InboundMirror;
import remus.disk.StandbyDisks;
import remus.network.GuestNetwork;
import remus.qemu.QemuExit;
import remus.wire.Hello;

/**
 * What a backup has of a VM: the images of its disks, the standby, and what has come of checkpoints. Images are there from
 * the welcome on, the standby and its receiver once the primary's files have arrived. Confined to the backup's agent thread.
 */
final class StandbyCopy implements AutoCloseable {
    static final long INBOUND_LIMIT_BYTES = 16L << 20;

    /** Learns what becomes of the copy: of the disks on the thread of the images, of the standby on any. */
    interface Listener extends CheckpointReceiver.Listener, StandbyDisks.Listener {
        void standbyEnded(QemuExit exit);
    }

    private final HostServices services;
    private final Hello hello;
    private final SharedDefinition definition;
    private final Term term;
    private final HostAddress primary;
    private final ReceivedFiles files;
    private @Nullable StandbyImages images;
    private @Nullable StandbyParts parts;
    private @Nullable CheckpointReceiver receiver;
    private @Nullable InboundMirror inbound;
    private @Nullable Activation activation;

    /**
     * @param definition what the hello says of the VM
     * @param primary where the primary can be asked later
     */
    StandbyCopy(HostServices services, Hello hello, SharedDefinition definition, Term term, HostAddress primary) {
        this.services = services;
        this.hello = hello;
        this.definition = definition;
        this.term = term;
        this.primary = primary;
        files = new ReceivedFiles(services.state(), hello.files());
    }

    ReceivedFiles files() {
        return files;
    }

    /** Opens the images of the disks, which this host may refuse. */
    void openImages(Listener listener) throws StandbyException {
        images = StandbyImages.open(services, hello, term, primary, definition, listener);
    }

    StandbyImages images() {
        return Invariant.present(images, "the images, which there are from the welcome on");
    }

    /** Starts the standby; the primary's files are here. */
    void start(Listener listener) throws StandbyException {
        StandbyParts started = new StandbyParts(
                services,
                definition.at(
                        files.path(SharedDefinition.KERNEL),
                        files.path(SharedDefinition.INITRD),
                        images()::path,
                        services.state()
                                .root()
                                .resolve("vms")
                                .resolve(hello.vm())
                                .resolve("console.log")),
                standby(),
                images()::forStandby,
                listener::standbyEnded);
        parts = started;
        started.start();
        InboundMirror mirror = new InboundMirror(INBOUND_LIMIT_BYTES);
        inbound = mirror;
        receiver = new CheckpointReceiver(
                started.memory(),
                images().backupDisks(),
                hello.pageBytes(),
                GuestNetwork.OUTPUT_LIMIT_BYTES,
                mirror,
                listener);
    }

    boolean isStarted() {
        return parts != null;
    }

    /** Replaces a standby that has died by a fresh one with the same image. */
    void restart() throws StandbyException {
        StandbyParts own = parts;
        if (own != null) {
            own.restart();
        }
    }

    CheckpointReceiver receiver() {
        return Invariant.present(receiver, "the receiver, which there is from READY on");
    }

    /** The last checkpoint that could be activated. */
    EpochId lastWhole() {
        CheckpointReceiver received = receiver;
        return received == null ? EpochId.NONE : received.lastWhole();
    }

    boolean isWhole() {
        return lastWhole().isAfter(EpochId.NONE);
    }

    /** What has come of a checkpoint that is not whole is of no use: its connection has ended. */
    void dropPartial() {
        CheckpointReceiver received = receiver;
        if (received != null) {
            received.dropPartial();
        }
    }

    /** The disks have let an acknowledgement become due. */
    void acknowledgeWhatIsDue() {
        CheckpointReceiver received = receiver;
        if (received != null) {
            received.acknowledgeWhatIsDue();
        }
    }

    // ---- taking over

    /** Loads the last whole checkpoint into the standby, which then runs with its output held. */
    void load() throws StandbyException, CheckpointException {
        activation().load();
    }

    /** Whether a guest has run in the copy, which can't be loaded again then. */
    boolean isSpent() {
        Activation present = activation;
        return present != null && present.hasRun();
    }

    /** What runs is ended. */
    void dropLoaded() {
        Activation present = activation;
        if (present != null) {
            present.close();
        }
    }

    /** What runs is this host's own from now on. */
    ActiveVm handOver(StandbyVm vm, Activation.TakeOver takeOver) throws StandbyException {
        ProtectionSettings protection = definition.protectionAfter(hello, primary, takeOver.isHandedOver());
        return activation().handOver(vm, takeOver, protection);
    }

    private Activation activation() {
        Activation present = activation;
        if (present == null) {
            present = new Activation(
                    services,
                    hello.vm(),
                    Invariant.present(parts, "a standby"),
                    images(),
                    receiver(),
                    Invariant.present(inbound, "the inbound mirror"));
            activation = present;
        }
        return present;
    }

    // ---- what is shown of it

    StandbyMode standby() {
        return definition.standby();
    }

    @Nullable
    Long qemuPid() {
        StandbyParts own = parts;
        return own == null ? null : own.qemuPid();
    }

    @Nullable
    String tapName() {
        StandbyParts own = parts;
        return own == null ? null : own.tapName();
    }

    List<DiskStatus> diskStatus() {
        StandbyImages copies = images;
        return copies == null ? List.of() : copies.status(isWhole());
    }

    @Override
    public void close() {
        try (CloseStack owned = new CloseStack()) {
            owned.push(files);
            StandbyImages copies = images;
            if (copies != null) {
                owned.push(copies);
            }
            CheckpointReceiver received = receiver;
            InboundMirror mirror = inbound;
            if (received != null) {
                owned.push(received);
            } else if (mirror != null) {
                owned.push(mirror);
            }
            StandbyParts own = parts;
            if (own != null) {
                owned.push(own);
            }
            Activation present = activation;
            if (present != null) {
                owned.push(present);
            }
        }
    }
}
