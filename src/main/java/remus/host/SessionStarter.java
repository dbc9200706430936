package remus.host;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import remus.base.HostAddress;
import remus.base.Term;
import remus.checkpoint.CheckpointEngine;
import remus.host.OperationException.Kind;
import remus.memory.DirtyTracker;
import remus.memory.DirtyTracking;
import remus.memory.DirtyTrackingException;
import remus.memory.GuestMemory;
import remus.memory.GuestMemoryDevice;
import remus.memory.GuestMemoryException;
import remus.memory.ResetStrategy;
import remus.memory.SharedRamFile;
import remus.network.GuestNetwork;
import remus.qemu.Accelerator;
import remus.qemu.RunningGuest;
import remus.qemu.VmDefinition;
import remus.replication.PeerAnswer;
import remus.replication.PrimaryChannel;
import remus.replication.PrimaryChannelSettings;
import remus.wire.Hello;

/** Makes the protection session of a VM: its tracker, its channel to the backup, and the engine between them. */
final class SessionStarter implements ActiveVm.SessionFactory {
    /** Setting for tests and for kernels whose asynchronous mode is in doubt: {@code auto}, {@code async}, {@code sync}. */
    private static final String TRACKING_PROPERTY = "remus.tracking";

    private static final Duration REACH_LIMIT = Duration.ofSeconds(2);

    private final HostServices services;
    private final ProtectionSettings settings;
    private final HostAddress backup;
    private final int replicationPort;

    SessionStarter(HostServices services, ProtectionSettings settings, HostAddress backup, int replicationPort) {
        this.services = services;
        this.settings = settings;
        this.backup = backup;
        this.replicationPort = replicationPort;
    }

    /** Refuses a backup that nobody answers for, before anything is begun. */
    void checkReachable() throws OperationException {
        PeerAnswer answer = services.peers().ask(backup, "probe", REACH_LIMIT);
        String cause = switch (answer) {
            case PeerAnswer.Answered answered -> null;
            case PeerAnswer.Refused refused -> "its port refuses: " + refused.cause();
            case PeerAnswer.Unreachable unreachable -> unreachable.cause();
        };
        if (cause != null) {
            throw new OperationException(
                    Kind.FAILED,
                    "the backup %s can't be reached: %s".formatted(backup, cause),
                    "start `remus host` there, and check address and firewall");
        }
    }

    @Override
    public ProtectionSession create(Term term, Agent agent, ActiveVm vm, RunningGuest guest, GuestNetwork network)
            throws OperationException {
        VmDefinition definition = vm.handle().definition();
        try {
            Map<String, Path> files = SharedDefinition.files(definition);
            // Reads the files, which may have gone meanwhile: before anything is attached to QEMU.
            Hello hello = hello(definition, files);
            GuestMemory memory = GuestMemory.forReading(new SharedRamFile(
                    vm.handle().paths().ramFile(), definition.memory().bytes()));
            boolean handedOver = false;
            try {
                DirtyTracker tracker = DirtyTracking.attach(
                        guest.process().identity().pid(),
                        vm.handle().paths().ramFile(),
                        definition.memory().bytes(),
                        tracking(),
                        definition.accelerator() == Accelerator.KVM
                                ? ResetStrategy.FIND_THEN_RESET
                                : ResetStrategy.ONE_RESETTING_SCAN);
                GuestMemoryDevice device = new GuestMemoryDevice(memory, tracker, (int) settings.verifyEvery());
                PrimaryChannelSettings channel = new PrimaryChannelSettings(
                        backup,
                        hello,
                        term,
                        name -> FileChannel.open(files.get(name)),
                        PrimaryChannelSettings.Limits.forDetection(settings.detect()));
                ProtectionSession session = new ProtectionSession(
                        settings,
                        backup,
                        term,
                        new CheckpointEngine.Settings(
                                settings.interval().toNanos(),
                                GuestNetwork.OUTPUT_LIMIT_BYTES,
                                GuestMemory.PAGE_BYTES,
                                definition.memory().bytes()),
                        new ProtectionSession.Parts(
                                guest,
                                device,
                                List.of(device, network),
                                listener -> new PrimaryChannel(channel, listener, services.time()),
                                memory::close),
                        vm,
                        agent,
                        services.time());
                handedOver = true;
                return session;
            } finally {
                if (!handedOver) {
                    memory.close();
                }
            }
        } catch (IOException | GuestMemoryException | DirtyTrackingException e) {
            throw new OperationException(
                    Kind.FAILED, "VM %s can't be protected: %s".formatted(vm.name(), e.getMessage()), "", e);
        }
    }

    private static DirtyTracking.Choice tracking() {
        return DirtyTracking.Choice.valueOf(
                System.getProperty(TRACKING_PROPERTY, "auto").toUpperCase(java.util.Locale.ROOT));
    }

    private Hello hello(VmDefinition definition, Map<String, Path> files) throws IOException {
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
                SharedDefinition.of(definition).encode(),
                SharedDefinition.describe(files));
    }
}
