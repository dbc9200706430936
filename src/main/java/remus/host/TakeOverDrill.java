package remus.host;

import java.nio.file.Path;
import java.util.List;
import remus.availability.BackupEvent;
import remus.availability.BackupEvent.CheckpointWhole;
import remus.availability.BackupEvent.PrimaryLost;
import remus.availability.BackupEvent.StandbyRuns;
import remus.availability.BackupOwnership;
import remus.availability.BackupState;
import remus.availability.HostId;
import remus.availability.LocalArbiter;
import remus.availability.OwnershipAgent;
import remus.availability.OwnershipRecord;
import remus.availability.RequestId;
import remus.availability.Requests;
import remus.availability.WhenAlone;
import remus.base.ByteSize;
import remus.base.EpochId;
import remus.base.Invariant;
import remus.base.Term;
import remus.base.Time;
import remus.qemu.Accelerator;
import remus.qemu.MachineType;
import remus.qemu.VmDefinition;
import remus.replication.PeerAnswer;

/**
 * Decides about the take-over of a VM that there is not, right after a daemon's start. A {@code switch} over types is
 * bound by the JVM where it is first run, which takes milliseconds for each and is in no class cache (JDK 25 keeps lambdas,
 * not these); so the first real take-over, for which a client waits, is not to be the first. What is decided is pure:
 * nothing is asked or done outside of this object, and nothing of it is kept.
 *
 * <p>{@code WarmActivationSystemTest} finds what is missing here.
 */
final class TakeOverDrill {
    private static final long DETECT_NANOS = 1_000_000_000;

    /** How often it is repeated, so that the first compiler takes notice: some tens of milliseconds of processor time. */
    private static final int TIMES = 200;

    private TakeOverDrill() {}

    static void run(Time time) {
        for (int i = 0; i < TIMES; i++) {
            once(time);
        }
    }

    private static void once(Time time) {
        HostId self = new HostId("drill-backup");
        HostId primary = new HostId("drill-primary");
        Term session = new Term(2);
        LocalArbiter arbiter = new LocalArbiter(self, DETECT_NANOS, WhenAlone.HOLD, time, new NobodyThere(), null);
        arbiter.joined(session, primary);
        OwnershipAgent<BackupState, BackupEvent> agent = OwnershipAgent.ofBackup(
                "drill",
                arbiter,
                Runnable::run,
                time,
                new OwnershipAgent.Pauses(DETECT_NANOS, DETECT_NANOS),
                action -> {});
        agent.begin(BackupOwnership.offered(Requests.first(self, "drill"), session, primary));
        agent.on(new CheckpointWhole(session, new EpochId(1)));
        agent.on(new PrimaryLost("drill", false));
        agent.on(new StandbyRuns());
        BackupState.Role role = agent.state().role();
        Invariant.check(role instanceof BackupState.Taken, "the drill's VM is taken over: %s", role);
        StandbyOwnership.lossBy(new PeerAnswer.Refused("drill"));
        note(OwnershipRecord.alone(session.next(), self, new RequestId("drill")));
    }

    private static void note(OwnershipRecord record) {
        VmDefinition definition = new VmDefinition(
                "drill",
                MachineType.Q35,
                1,
                ByteSize.ofMebibytes(64),
                Accelerator.TCG,
                "max",
                new VmDefinition.Boot(Path.of("/kernel"), Path.of("/initrd"), ""),
                List.of(new VmDefinition.Disk("root", Path.of("/image"))),
                List.of(new VmDefinition.Nic("52:54:00:12:34:56", "br0")),
                Path.of("/console"));
        RunningVm vm = RunningVm.alone(definition, record, ProtectionSettings.DEFAULTS);
        RunningVm.decode(vm.encode());
    }

    private static final class NobodyThere implements LocalArbiter.Surroundings {
        @Override
        public void askPeer() {}

        @Override
        public void note(OwnershipRecord record, Runnable durable) {
            durable.run();
        }
    }
}
