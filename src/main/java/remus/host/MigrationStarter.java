package remus.host;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import remus.api.MigrateRequest;
import remus.api.MigrationStatus;
import remus.availability.HostId;
import remus.base.HostAddress;
import remus.host.OperationException.Kind;
import remus.migration.MigrationPlan;
import remus.replication.PeerAnswer;
import remus.wire.OwnerAnswer;

/**
 * Moves VMs from this host to others as asked, and knows what became of that. Called from many threads. Remembers one
 * migration of each VM, {@link #MAX_REMEMBERED} in all; of more the oldest is forgotten.
 */
final class MigrationStarter {
    static final int MAX_REMEMBERED = 256;

    private static final Duration REACH_LIMIT = Duration.ofSeconds(5);

    private final HostServices services;
    private final ProtectionStarter protections;
    private final int replicationPort;
    private final Map<String, Migration> migrations = new LinkedHashMap<>();

    MigrationStarter(HostServices services, ProtectionStarter protections, int replicationPort) {
        this.services = services;
        this.protections = protections;
        this.replicationPort = replicationPort;
    }

    /** Begins a migration and returns before anything is copied. */
    MigrationStatus migrate(ActiveVm vm, MigrateRequest request) throws OperationException {
        MigrationPlan plan = MigrationOrder.plan(request);
        if (plan.sharedDisks() && vm.isToBeProtected()) {
            throw new OperationException(
                    Kind.REFUSED,
                    "migrate: sharedDisks: VM %s is protected, and a backup has images of its own".formatted(vm.name()),
                    "let the disks be copied; or use remus unprotect before, and remus protect on its new host");
        }
        HostAddress to = destination(String.valueOf(request.to()));
        boolean isToBackup = to.equals(vm.backup());
        if (isToBackup && plan.verify()) {
            throw new OperationException(
                    Kind.REFUSED,
                    "migrate: verify: %s is the backup of VM %s, and takes it over as by remus switchover, which compares nothing"
                            .formatted(to, vm.name()),
                    "leave it out; remus protect --verify N compares all the time");
        }
        Migration migration = new Migration(
                new Migration.Order(
                        vm.name(),
                        services.hostName(),
                        to,
                        vm.handle().definition().memory().bytes(),
                        vm.isToBeProtected(),
                        isToBackup,
                        plan),
                services.time());
        CompletableFuture<Void> begun =
                isToBackup ? vm.migrateToBackup(migration) : begin(vm, to, plan.sharedDisks(), migration);
        // Whoever asks finds it from now on: its beginning may take longer than this waits.
        Migration former = remember(migration);
        watch(migration);
        var _ = begun.exceptionally(refused -> {
            forget(migration, former);
            return null;
        });
        HostDaemon.await(begun);
        return migration.status();
    }

    private CompletableFuture<Void> begin(ActiveVm vm, HostAddress to, boolean sharesDisks, Migration migration)
            throws OperationException {
        SessionStarter.Backup destination = new SessionStarter.Backup(to, reach(to, vm.name()), "by command");
        ProtectionSettings settings = vm.protection();
        return vm.migrate(
                sharesDisks ? settings.holding() : settings,
                SessionStarter.moving(services, settings, destination, replicationPort, vm, migration),
                migration);
    }

    private HostAddress destination(String to) throws OperationException {
        HostAddress address = protections.locate(to);
        if (address == null) {
            throw new OperationException(
                    Kind.REFUSED, "migrate: the destination %s is this host itself".formatted(to), "name another host");
        }
        return address;
    }

    private HostId reach(HostAddress to, String vm) throws OperationException {
        return switch (services.peers().ask(to, vm, REACH_LIMIT)) {
            case PeerAnswer.Answered(OwnerAnswer owner) -> new HostId(owner.host());
            case PeerAnswer.Refused refused -> throw unreachable(to, "its port refuses: " + refused.cause());
            case PeerAnswer.Unreachable unreachable -> throw unreachable(to, unreachable.cause());
        };
    }

    private static OperationException unreachable(HostAddress to, String cause) {
        return new OperationException(
                Kind.FAILED,
                "the destination %s can't be reached: %s".formatted(to, cause),
                "start `remus host` there, and check address and firewall");
    }

    /** Returns the one before, which is not remembered any more. */
    private @Nullable Migration remember(Migration migration) {
        synchronized (migrations) {
            Migration former = migrations.remove(migration.order().vm()); // the new one is the youngest
            migrations.put(migration.order().vm(), migration);
            if (migrations.size() > MAX_REMEMBERED) {
                migrations.remove(migrations.keySet().iterator().next());
            }
            return former;
        }
    }

    /** It was refused: the one before is the last one again. */
    private void forget(Migration refused, @Nullable Migration former) {
        synchronized (migrations) {
            if (migrations.remove(refused.order().vm(), refused) && former != null) {
                migrations.put(former.order().vm(), former);
            }
        }
    }

    /** The destination says how it went, as soon as the VM is its own. */
    private void watch(Migration migration) {
        var _ = migration.handedOver().whenComplete((done, failure) -> {
            if (failure == null) {
                Thread.ofVirtual().name("migration-figures").start(() -> finish(migration));
            } else {
                migration.failed(String.valueOf(failure.getMessage()));
            }
        });
    }

    private void finish(Migration migration) {
        Migration.Order order = migration.order();
        String figures = new SwitchoverFigures(
                        order.from(), limit -> services.peers().ask(order.to(), order.vm(), limit), services.time())
                .await();
        migration.done(figures);
    }

    MigrationStatus status(String vm) throws OperationException {
        return find(vm).status();
    }

    private Migration find(String vm) throws OperationException {
        Migration migration;
        synchronized (migrations) {
            migration = migrations.get(vm);
        }
        if (migration == null) {
            throw new OperationException(
                    Kind.NOT_FOUND,
                    "host %s knows of no migration of a VM named %s"
                            .formatted(services.hostName(), StrictYaml.shown(vm)),
                    "ask the host that it was on");
        }
        return migration;
    }

    /** @param vm null: it is not here any more */
    MigrationStatus cancel(String name, @Nullable ActiveVm vm) throws OperationException {
        Migration migration = find(name);
        if (vm == null || migration.hasEnded()) {
            throw new OperationException(
                    Kind.CONFLICT, "VM %s is not being migrated any more".formatted(name), "see remus status");
        }
        CompletableFuture<Void> cancelled = vm.cancelMigration();
        HostDaemon.await(cancelled);
        return migration.status();
    }
}
