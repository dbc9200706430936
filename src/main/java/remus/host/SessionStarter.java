package remus.host;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import remus.api.CompressMode;
import remus.availability.HostId;
import remus.base.CloseStack;
import remus.base.HostAddress;
import remus.base.Invariant;
import remus.base.Term;
import remus.checkpoint.CheckpointDevice;
import remus.checkpoint.CheckpointEngine;
import remus.checkpoint.EpochLengths;
import remus.disk.DiskException;
import remus.disk.GuestDisks;
import remus.disk.ImageWitness;
import remus.disk.SharedDisks;
import remus.host.OperationException.Kind;
import remus.memory.DirtyTracker;
import remus.memory.DirtyTracking;
import remus.memory.DirtyTrackingException;
import remus.memory.GuestMemory;
import remus.memory.GuestMemoryDevice;
import remus.memory.GuestMemoryException;
import remus.memory.ResetStrategy;
import remus.memory.SharedRamFile;
import remus.migration.MigrationPlan;
import remus.network.GuestNetwork;
import remus.qemu.Accelerator;
import remus.qemu.VmDefinition;
import remus.replication.Compression;
import remus.replication.PrimaryChannel;
import remus.replication.PrimaryChannelSettings;
import remus.wire.Hello;
import remus.wire.HelloDisk;

/** Makes the protection session of a VM: its tracker, its channel to the backup, and the engine between them. */
final class SessionStarter implements ActiveVm.SessionFactory {
    /** Setting for tests and for kernels whose asynchronous mode is in doubt: {@code auto}, {@code async}, {@code sync}. */
    private static final String TRACKING_PROPERTY = "remus.tracking";

    /** Silence of the backup that is granted for each GiB of memory where it computes digests. */
    private static final Duration DIGEST_TIME_PER_GIBIBYTE = Duration.ofSeconds(5);

    /** A quiet guest's epochs are so many intervals long at most. */
    private static final int MAX_STRETCH = 4;

    private final HostServices services;
    private final ProtectionSettings settings;
    private final @Nullable Migration migration;
    private final Backup backup;
    private final ActiveVm vm;
    private final VmDefinition definition;
    private final Map<String, Path> files;
    private final Hello hello;
    private final Map<String, ImageWitness> witnesses;

    /**
     * Who is to be the backup.
     *
     * @param id as it says when it is asked
     * @param why it is begun, for people
     */
    record Backup(HostAddress address, HostId id, String why) {}

    /**
     * Prepares a session that protects the VM: reads the files that the backup may need for their digests, which takes a
     * while.
     *
     * @param replicationPort where this host listens
     */
    SessionStarter(HostServices services, ProtectionSettings settings, Backup backup, int replicationPort, ActiveVm vm)
            throws OperationException {
        this(services, settings, backup, replicationPort, vm, null);
    }

    /**
     * As for protection, but the VM is to go on there for good.
     *
     * @param settings of its protection, where it is to have one from then on
     */
    static SessionStarter moving(
            HostServices services,
            ProtectionSettings settings,
            Backup destination,
            int replicationPort,
            ActiveVm vm,
            Migration migration)
            throws OperationException {
        return new SessionStarter(services, settings, destination, replicationPort, vm, migration);
    }

    private SessionStarter(
            HostServices services,
            ProtectionSettings settings,
            Backup backup,
            int replicationPort,
            ActiveVm vm,
            @Nullable Migration migration)
            throws OperationException {
        this.services = services;
        this.migration = migration;
        this.settings = migration == null
                ? settings
                : forMigration(settings, migration.order().plan());
        this.backup = backup;
        this.vm = vm;
        definition = vm.handle().definition();
        files = SharedDefinition.files(definition);
        witnesses = sharesDisks() ? witnesses(definition) : Map.of();
        try {
            hello = hello(
                    replicationPort, vm.parts().disks(), SharedDefinition.of(definition, settings, moving(settings)));
        } catch (IOException e) {
            throw failed(e);
        }
    }

    private static ProtectionSettings forMigration(ProtectionSettings settings, MigrationPlan plan) {
        ProtectionSettings moving = settings.forMigration(plan.verify());
        return plan.sharedDisks() ? moving.holding() : moving;
    }

    private SharedDefinition.@Nullable Moving moving(ProtectionSettings wished) {
        return migration == null
                ? null
                : new SharedDefinition.Moving(
                        migration.order().isProtected(),
                        wished.interval().toNanos(),
                        wished.detect().toNanos(),
                        (int) wished.verifyEvery(),
                        sharesDisks() ? sharedImages() : null);
    }

    private List<SharedDefinition.SharedImage> sharedImages() {
        return definition.disks().stream()
                .map(disk -> {
                    ImageWitness witness =
                            Invariant.present(witnesses.get(disk.name()), "the witness of disk " + disk.name());
                    return new SharedDefinition.SharedImage(
                            disk.name(), witness.image().toString(), witness.token());
                })
                .toList();
    }

    /** They are made as the session begins. */
    private static Map<String, ImageWitness> witnesses(VmDefinition definition) throws OperationException {
        Map<String, ImageWitness> all = new HashMap<>();
        for (VmDefinition.Disk disk : definition.disks()) {
            try {
                all.put(disk.name(), ImageWitness.of(disk.image()));
            } catch (DiskException e) {
                throw new OperationException(
                        Kind.REFUSED,
                        "migrate: sharedDisks: disk %s: %s, so the destination could not tell whether it sees the same one"
                                .formatted(disk.name(), e.getMessage()),
                        "let the disks be copied",
                        e);
            }
        }
        return all;
    }

    private OperationException failed(Exception cause) {
        return new OperationException(
                Kind.FAILED,
                "VM %s can't be protected: %s".formatted(definition.name(), cause.getMessage()),
                "",
                cause);
    }

    @Override
    public HostAddress backup() {
        return backup.address();
    }

    @Override
    public HostId backupId() {
        return backup.id();
    }

    @Override
    public String why() {
        return backup.why();
    }

    @Override
    public boolean sharesDisks() {
        return migration != null && migration.order().plan().sharedDisks();
    }

    @Override
    public ProtectionSession create(Term term, SessionOwner owner) throws OperationException {
        VmParts parts = vm.parts();
        try (CloseStack onFailure = new CloseStack()) {
            for (ImageWitness witness : witnesses.values()) {
                onFailure.push(witness);
                witness.place();
            }
            Path ramFile = vm.handle().paths().ramFile();
            long memoryBytes = definition.memory().bytes();
            GuestMemory memory = onFailure.push(GuestMemory.forReading(new SharedRamFile(ramFile, memoryBytes)));
            DirtyTracker tracker = onFailure.push(DirtyTracking.attach(
                    parts.guest().process().identity().pid(),
                    ramFile,
                    memoryBytes,
                    tracking(),
                    definition.accelerator() == Accelerator.KVM
                            ? ResetStrategy.FIND_THEN_RESET
                            : ResetStrategy.ONE_RESETTING_SCAN));
            SessionPlan plan = new SessionPlan(term, backup.address(), settings, migration);
            GuestMemoryDevice device = new GuestMemoryDevice(memory, tracker, plan::wantsDigest);
            ProtectionSession session = new ProtectionSession(
                    plan,
                    new CheckpointEngine.Settings(
                            epochs(), GuestNetwork.OUTPUT_LIMIT_BYTES, GuestMemory.PAGE_BYTES, memoryBytes),
                    parts(term, parts, device, memory),
                    owner,
                    vm.agent(),
                    services.time());
            onFailure.release();
            return session;
        } catch (GuestMemoryException | DirtyTrackingException | DiskException e) {
            throw failed(e);
        }
    }

    /** A quiet guest's epochs stretch, but so that a checkpoint still comes within each detection time. */
    private EpochLengths epochs() {
        long usualNanos = settings.interval().toNanos();
        long longestNanos = Math.min(MAX_STRETCH * usualNanos, settings.detect().toNanos() / 2);
        return new EpochLengths(usualNanos, Math.max(usualNanos, longestNanos), settings.maxPauseShare());
    }

    private ProtectionSession.Parts parts(Term term, VmParts vm, GuestMemoryDevice device, GuestMemory memory) {
        PrimaryChannelSettings channel = new PrimaryChannelSettings(
                backup.address(),
                backup.id().name(),
                hello,
                term,
                name -> FileChannel.open(files.get(name)),
                compression(settings.compress()),
                limits());
        return new ProtectionSession.Parts(
                vm.guest(),
                device,
                devices(device, vm),
                vm.disks(),
                listener -> new PrimaryChannel(channel, listener, services.time()),
                services.threads().ofSession(vm.guest().process()),
                this::removeWitnesses,
                memory::close);
    }

    private static Compression compression(CompressMode mode) {
        return switch (mode) {
            case AUTO -> Compression.AUTO;
            case ALWAYS -> Compression.ALWAYS;
            case NEVER -> Compression.NEVER;
        };
    }

    private List<CheckpointDevice> devices(GuestMemoryDevice memory, VmParts parts) {
        if (parts.disks().isEmpty()) {
            // There is nothing to synchronize that a checkpoint could wait for.
            return List.of(memory, parts.network());
        }
        GuestDisks disks = parts.disks().guest();
        return List.of(memory, parts.network(), sharesDisks() ? new SharedDisks(disks, vm::disksMayLeave) : disks);
    }

    private void removeWitnesses() {
        witnesses.values().forEach(ImageWitness::close);
    }

    /** A backup that computes a digest of all memory is silent meanwhile. */
    private PrimaryChannelSettings.Limits limits() {
        PrimaryChannelSettings.Limits usual = PrimaryChannelSettings.Limits.forDetection(settings.detect());
        if (settings.verifyEvery() == 0) {
            return usual;
        }
        long gibibytes = 1 + (definition.memory().bytes() >> 30);
        return new PrimaryChannelSettings.Limits(
                usual.connect(),
                usual.welcome(),
                usual.ready(),
                usual.silence().plus(DIGEST_TIME_PER_GIBIBYTE.multipliedBy(gibibytes)),
                usual.signOff());
    }

    private static DirtyTracking.Choice tracking() {
        return DirtyTracking.Choice.valueOf(
                System.getProperty(TRACKING_PROPERTY, "auto").toUpperCase(Locale.ROOT));
    }

    private Hello hello(int replicationPort, VmDisks vmDisks, SharedDefinition shared) throws IOException {
        List<HelloDisk> disks = vmDisks.guest().disks().stream()
                .map(disk -> new HelloDisk(disk.name(), disk.bytes()))
                .toList();
        return new Hello(
                Hello.Mode.NEW,
                definition.name(),
                services.hostName(),
                new HostAddress(services.advertised().host(), replicationPort),
                definition.machine().versionedName(),
                services.installation().features().version(),
                definition.memory().bytes(),
                GuestMemory.PAGE_BYTES,
                settings.interval(),
                settings.detect(),
                (int) settings.verifyEvery(),
                shared.encode(),
                SharedDefinition.describe(files),
                disks);
    }
}
