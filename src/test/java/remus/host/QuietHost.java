package remus.host;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import remus.api.ArbiterView;
import remus.api.EventType;
import remus.availability.Arbiter;
import remus.base.ByteSize;
import remus.base.CloseStack;
import remus.base.HostAddress;
import remus.qemu.Accelerator;
import remus.qemu.Architecture;
import remus.qemu.MachineType;
import remus.qemu.QemuFeatures;
import remus.qemu.QemuInstallation;
import remus.qemu.QemuLimits;
import remus.qemu.RealTimeThreads;
import remus.qemu.VmDefinition;
import remus.replication.PeerQuery;

/**
 * What the VMs of a daemon work with, in a directory of its own and by a clock that stands still; of QEMU there is only what
 * it would offer.
 */
final class QuietHost implements AutoCloseable {
    static final String NAME = "alpha";
    static final QemuLimits QEMU_LIMITS =
            new QemuLimits(Duration.ofSeconds(7), Duration.ofSeconds(1), Duration.ofSeconds(1));

    private static final Path NOWHERE = Path.of("/nonexistent");
    private static final QemuInstallation QEMU = new QemuInstallation(
            Map.of(Architecture.X86_64, NOWHERE),
            NOWHERE,
            new QemuFeatures("7.2.22", Set.of(MachineType.Q35.versionedName()), NOWHERE));

    final SettableTime time = new SettableTime();
    final HostServices services;
    private final CloseStack resources = new CloseStack();

    /** @param arbiter null: there is none */
    QuietHost(Path directory, @Nullable Arbiter arbiter) throws Exception {
        StateDirectory state = StateDirectory.open(directory);
        resources.push(() -> closed(state));
        RuntimeDirectory runtime = RuntimeDirectory.open(directory);
        resources.push(() -> closed(runtime));
        PeerQuery peers = new PeerQuery(time);
        VmRegistry registry = new VmRegistry();
        services = new HostServices(
                NAME,
                new HostAddress("127.0.0.1", 7420),
                time,
                resources.push(new EventLog(directory, time)),
                state,
                runtime,
                QEMU,
                QEMU_LIMITS,
                new AtomicLong(),
                registry,
                new MemoryAdmission(runtime, registry),
                peers,
                new ImageOwnership(NAME, state, peers),
                new Arbitration(new CloseStack(), arbiter, () -> ArbiterView.NONE),
                new ProtectionKeeper(time),
                new HostDrain(NAME, time),
                new RealTimeThreads(false));
    }

    private static void closed(AutoCloseable resource) {
        try {
            resource.close();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    /** A VM without disks. */
    static VmDefinition definition(String vm, VmDefinition.Nic... nics) {
        return new VmDefinition(
                vm,
                MachineType.Q35,
                1,
                new ByteSize(2 << 20),
                Accelerator.TCG,
                "max",
                null,
                List.of(),
                List.of(nics),
                null);
    }

    /** What has happened, oldest first. */
    List<EventType> happened() {
        return services.events().recent().stream().map(event -> event.event()).toList();
    }

    @Override
    public void close() {
        resources.close();
    }
}
