package remus.cli;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import remus.base.CloseStack;
import remus.base.RemusException;
import remus.bench.GuestLoad;
import remus.bench.MigrationTrial;
import remus.bench.PlainVm;
import remus.bench.QemuMigration;
import remus.qemu.Accelerator;
import remus.qemu.MachineType;
import remus.qemu.QemuInstallation;
import remus.qemu.VmDefinition;

/**
 * Migrations by QEMU alone: each of a guest of its own, freshly booted, for one that has lost pages is good for nothing
 * any more. Both QEMUs are plugged into the client's bridge. Confined to the bench's thread.
 */
final class QemuMigrationTurn {
    private final MigrationGround ground;
    private final QemuInstallation installation;
    private final PlainVm.Plug plug;
    private int count;

    QemuMigrationTurn(MigrationGround ground, QemuInstallation installation) {
        this.ground = ground;
        this.installation = installation;
        plug = new PlainVm.Plug(
                ground.hosts().topology().namespaceFile(DemoTopology.Place.CLIENT), DemoTopology.SWITCH);
    }

    /** Boots a guest, migrates it, compares both memories and sees whether it runs on. */
    MigrationTrial run(GuestLoad load, Duration downtimeLimit) throws RemusException, InterruptedException {
        count++;
        try (CloseStack owned = new CloseStack()) {
            Path console = console("source");
            PlainVm source = owned.push(PlainVm.boot(installation, definition(load, console), plug));
            EchoClient client = owned.push(ground.connect(console, source::requireAlive));
            PlainVm destination =
                    owned.push(PlainVm.await(installation, definition(load, console("destination")), plug));
            QemuMigration migration = new QemuMigration(source, destination, ground.stop());
            MigrationTrial trial =
                    migration.run(downtimeLimit, ground.settings().patience());
            if (trial.figures() == null) {
                return trial;
            }
            migration.letRun();
            String missing = GuestProof.whatIsMissing(client, load, destination.pid());
            return new MigrationTrial(trial.figures(), missing, trial.lostPages(), missing == null);
        }
    }

    private Path console(String side) {
        return ground.directory().resolve("qemu-%d-%s.log".formatted(count, side));
    }

    private VmDefinition definition(GuestLoad load, Path console) throws RemusException {
        Accelerator accelerator = ground.settings().accelerator();
        return new VmDefinition(
                BenchGuest.VM,
                MachineType.Q35,
                1,
                ground.settings().memory(),
                accelerator,
                accelerator == Accelerator.KVM ? "host" : "max",
                ground.boot(load),
                List.of(),
                List.of(new VmDefinition.Nic(BenchGuest.MAC, DemoTopology.SWITCH)),
                console);
    }
}
