package remus.host;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import remus.api.CheckpointStatus;
import remus.api.DiskStatus;
import remus.api.Draining;
import remus.api.FailoverRequest;
import remus.api.HostMemory;
import remus.api.HostStatus;
import remus.api.MigrateRequest;
import remus.api.MigrationStatus;
import remus.api.OutputStatus;
import remus.api.Percentiles;
import remus.api.ProtectRequest;
import remus.api.StandbyMode;
import remus.api.StartRequest;
import remus.api.VmRole;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.host.OperationException.Kind;

/** A host without VMs of its own: knows what it was told, and remembers what it was asked. */
public final class FakeHost implements HostOperations {
    public final Map<String, VmStatus> vms = new LinkedHashMap<>();
    public final Map<String, MigrationStatus> migrations = new LinkedHashMap<>();
    public final List<Object> asked = new ArrayList<>();
    public @Nullable Draining draining;

    public static VmStatus vm(String name, VmState state) {
        return vm(name, state, null);
    }

    public static VmStatus vm(String name, VmState state, @Nullable String reason) {
        boolean backup = state == VmState.STANDBY || state == VmState.ACTIVATING;
        return new VmStatus(
                name,
                backup ? VmRole.BACKUP : VmRole.PRIMARY,
                state,
                reason,
                3,
                42_000,
                41_999,
                "192.0.2.7:7420",
                25,
                4711L,
                "rm-tap0",
                new CheckpointStatus(
                        41_999,
                        new Percentiles(3_100, 5_900, 21_000),
                        new Percentiles(180, 910, 12_000),
                        new Percentiles(4_200, 9_100, 88_000),
                        38_123_456,
                        419_430_400),
                new OutputStatus(7, 4_096, 123_456, 2),
                List.of(new DiskStatus("root", 0, 100)),
                1_234,
                StandbyMode.WARM);
    }

    @Override
    public synchronized HostStatus status() {
        return new HostStatus(
                "alpha",
                List.copyOf(vms.values()),
                remus.api.ArbiterView.NONE,
                new HostMemory(16L << 30, 5L << 30, 768L << 20, 256L << 20, 112L << 20),
                draining);
    }

    @Override
    public synchronized HostStatus drain() {
        asked.add("drain");
        return status();
    }

    @Override
    public synchronized HostStatus undoDrain() {
        asked.add("undo drain");
        draining = null;
        return status();
    }

    @Override
    public synchronized VmStatus status(String vm) throws OperationException {
        VmStatus status = vms.get(vm);
        if (status == null) {
            throw new OperationException(
                    Kind.NOT_FOUND, "there is no VM '%s' on host alpha".formatted(vm), "see 'remus status'");
        }
        return status;
    }

    @Override
    public synchronized VmStatus start(StartRequest request) throws OperationException {
        asked.add(request);
        if (request.definition().contains("broken")) {
            throw new OperationException(Kind.REFUSED, "VM definition: memory: '256' is not a size", "");
        }
        vms.put("shop", vm("shop", VmState.UNPROTECTED));
        return status("shop");
    }

    @Override
    public synchronized VmStatus protect(String vm, ProtectRequest request) throws OperationException {
        asked.add(request);
        return change(vm, VmState.SYNCHRONIZING);
    }

    @Override
    public synchronized VmStatus unprotect(String vm, boolean force) throws OperationException {
        asked.add("unprotect " + vm);
        return change(vm, VmState.UNPROTECTED);
    }

    @Override
    public synchronized VmStatus pause(String vm) throws OperationException {
        asked.add("pause " + vm);
        return status(vm).because("paused by command");
    }

    @Override
    public synchronized VmStatus resume(String vm) throws OperationException {
        asked.add("resume " + vm);
        return status(vm);
    }

    @Override
    public synchronized MigrationStatus migrate(String vm, MigrateRequest request) throws OperationException {
        asked.add(request);
        return migration(vm);
    }

    @Override
    public synchronized MigrationStatus migration(String vm) throws OperationException {
        MigrationStatus known = migrations.get(vm);
        if (known == null) {
            throw new OperationException(Kind.NOT_FOUND, "no migration of " + vm, "ask another host");
        }
        return known;
    }

    @Override
    public synchronized MigrationStatus cancelMigration(String vm) throws OperationException {
        asked.add("cancel migration " + vm);
        return migration(vm);
    }

    @Override
    public synchronized VmStatus switchover(String vm) throws OperationException {
        asked.add("switchover " + vm);
        change(vm, VmState.FENCED);
        return status(vm).because("runs on 192.0.2.7:7420: switched over");
    }

    @Override
    public synchronized VmStatus stop(String vm) throws OperationException {
        asked.add("stop " + vm);
        return change(vm, VmState.STOPPED);
    }

    @Override
    public synchronized VmStatus failover(String vm, FailoverRequest request) throws OperationException {
        asked.add(request);
        if (status(vm).role() == VmRole.PRIMARY && !request.force()) {
            throw new OperationException(
                    Kind.CONFLICT, "failover: VM '%s' runs here already".formatted(vm), "ask its backup");
        }
        throw new IllegalStateException("unforeseen");
    }

    private VmStatus change(String vm, VmState state) throws OperationException {
        VmStatus before = status(vm);
        VmStatus after = vm(before.name(), state);
        vms.put(vm, after);
        return after;
    }
}
