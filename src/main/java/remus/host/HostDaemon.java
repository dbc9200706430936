package remus.host;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.ArbiterView;
import remus.api.EventType;
import remus.api.FailoverRequest;
import remus.api.HostMemory;
import remus.api.HostStatus;
import remus.api.MigrateRequest;
import remus.api.MigrationStatus;
import remus.api.ProtectRequest;
import remus.api.StartRequest;
import remus.api.VmStatus;
import remus.base.CloseStack;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.host.OperationException.Kind;
import remus.linux.BootTime;
import remus.qemu.QemuException;
import remus.qemu.QemuInstallation;
import remus.qemu.QemuLimits;
import remus.qemu.RealTimeThreads;
import remus.replication.PeerQuery;
import remus.replication.ReplicationException;
import remus.replication.ReplicationServer;

/**
 * The host daemon: runs VMs, protects them onto other hosts, and is the backup of others' VMs, any number of each.
 *
 * <p>Opened in this order: state directory (locked), what a former daemon has left (standbys are cleared away), event
 * log, VMs that a former daemon has left running (adopted), replication port, HTTP API; closed in reverse, after its VMs
 * have ended in good order, or were left for the next daemon. Thread-safe.
 */
final class HostDaemon implements HostOperations, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(HostDaemon.class);

    /** How long an operation may take that waits for a VM's agent. */
    private static final Duration OPERATION_LIMIT = Duration.ofSeconds(10);

    /** A backup that can't make the VM run is given until the activation deadline. */
    private static final Duration SWITCHOVER_LIMIT = Duration.ofSeconds(40);

    /** How long all VMs together may take to end in good order. */
    private static final Duration SHUTDOWN_LIMIT = Duration.ofSeconds(15);

    /**
     * A QEMU that does not reply within its limit is ended, so that is long: a backup misses the checkpoints of a hanging one
     * within the detection time whatever this host thinks of it, and on a busy machine a reply can take seconds.
     */
    private static final QemuLimits QEMU_LIMITS =
            new QemuLimits(Duration.ofSeconds(10), Duration.ofSeconds(5), Duration.ofSeconds(10));

    private final HostConfiguration configuration;
    private final HostServices services;
    private final HostFacts facts;
    private final VmStarter starter;
    private final ProtectionStarter protections;
    private final MigrationStarter migrations;
    private final CloseStack resources;
    private final int replicationPort;
    private final int apiPort;

    private HostDaemon(HostConfiguration configuration, HostServices services, HostFacts facts, CloseStack resources)
            throws OperationException {
        this.configuration = configuration;
        this.services = services;
        this.facts = facts;
        this.resources = resources;
        starter = new VmStarter(services);
        boolean opened = false;
        try {
            // Before anybody can ask about a VM that is not on the register yet.
            new VmAdoption(services, configuration.listen().port()).adoptAll();
            replicationPort = openReplication();
            protections = new ProtectionStarter(configuration, services, replicationPort);
            migrations = new MigrationStarter(services, protections, replicationPort);
            services.keeper()
                    .begin(
                            protections,
                            task -> Thread.ofVirtual().name("protect-again").start(task));
            services.keeper().start();
            services.drain()
                    .serve(
                            new DrainedHost(services, protections, this),
                            task -> Thread.ofVirtual().name("drain").start(task));
            HttpApi http = resources.push(HttpApi.start(configuration.api(), this, services.events()));
            apiPort = http.port();
            Thread.ofVirtual().name("take-over-drill").start(() -> TakeOverDrill.run(services.time()));
            opened = true;
        } finally {
            if (!opened) {
                // What was adopted goes on without this daemon, as it did before.
                endAll(living(), SHUTDOWN_LIMIT.toNanos(), true);
            }
        }
    }

    private int openReplication() throws OperationException {
        try {
            ReplicationServer server = resources.push(ReplicationServer.open(
                    configuration.listen(), new BackupService(services, facts), services.time()));
            return server.address().port();
        } catch (ReplicationException e) {
            throw new OperationException(Kind.FAILED, String.valueOf(e.getMessage()), "", e);
        }
    }

    /** Opens the daemon; when it can't, nothing of it is left. */
    static HostDaemon open(HostConfiguration configuration) throws OperationException {
        CloseStack resources = new CloseStack();
        boolean opened = false;
        try {
            QemuInstallation installation = QemuInstallation.probe();
            HostFacts facts = new LinuxHostFacts(installation);
            StateDirectory state = StateDirectory.open(configuration.state());
            resources.push(() -> closeQuietly(state));
            RuntimeDirectory runtime = RuntimeDirectory.open(configuration.state());
            resources.push(() -> closeQuietly(runtime));
            BootTime time = new BootTime();
            EventLog events = resources.push(new EventLog(configuration.state(), time));
            PeerQuery peers = new PeerQuery(time);
            VmRegistry registry = new VmRegistry();
            Arbitration arbitration = resources.push(Arbitration.open(
                    configuration.arbiter(),
                    configuration.arbiterCredential(),
                    configuration.state().resolve("arbiter"),
                    time,
                    view -> tellOfArbiter(view, registry, events)));
            HostServices services = new HostServices(
                    configuration.name(),
                    configuration.listen(),
                    time,
                    events,
                    state,
                    runtime,
                    installation,
                    QEMU_LIMITS,
                    new AtomicLong(),
                    registry,
                    new MemoryAdmission(runtime, registry),
                    peers,
                    new ImageOwnership(configuration.name(), state, peers),
                    arbitration,
                    resources.push(new ProtectionKeeper(time)),
                    resources.push(new HostDrain(configuration.name(), time)),
                    new RealTimeThreads(configuration.realTime()));
            HostDaemon daemon = new HostDaemon(configuration, services, facts, resources);
            opened = true;
            return daemon;
        } catch (QemuException e) {
            throw new OperationException(Kind.FAILED, String.valueOf(e.getMessage()), "", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new OperationException(Kind.FAILED, "the daemon was interrupted as it started", "", e);
        } finally {
            if (!opened) {
                resources.close();
            }
        }
    }

    /** Each VM's story says when a decision about it would have to wait. */
    private static void tellOfArbiter(ArbiterView view, VmRegistry registry, EventLog events) {
        LOG.info("arbiter {}: {}", view.name(), view.reason());
        String what = (view.reachable() ? "can be asked again: " : "can't be asked: ") + view.reason();
        for (HostedVm vm : registry.all()) {
            VmStatus status = vm.published();
            events.publish(vm.name(), EventType.ARBITER, what, new Term(status.term()), new EpochId(status.epoch()));
        }
    }

    private static void closeQuietly(AutoCloseable resource) {
        try {
            resource.close();
        } catch (Exception e) {
            LOG.warn("{} was not closed cleanly: {}", resource.getClass().getSimpleName(), e.toString());
        }
    }

    int replicationPort() {
        return replicationPort;
    }

    int apiPort() {
        return apiPort;
    }

    @Override
    public HostStatus status() {
        List<VmStatus> vms = new ArrayList<>();
        for (HostedVm vm : services.registry().all()) {
            vms.add(vm.status());
        }
        vms.sort(Comparator.comparing(VmStatus::name));
        return new HostStatus(
                configuration.name(),
                vms,
                services.arbitration().view(),
                memory(),
                services.drain().status());
    }

    @Override
    public HostStatus drain() {
        services.drain().start();
        return status();
    }

    @Override
    public HostStatus undoDrain() {
        services.drain().undo();
        return status();
    }

    private @Nullable HostMemory memory() {
        try {
            return services.memory().figures();
        } catch (IOException e) {
            LOG.debug("this host's memory can't be read", e);
            return null;
        }
    }

    @Override
    public VmStatus status(String vm) throws OperationException {
        return find(vm).status();
    }

    private HostedVm find(String name) throws OperationException {
        HostedVm vm = services.registry().find(name);
        if (vm == null) {
            throw new OperationException(
                    Kind.NOT_FOUND,
                    "host %s has no VM named %s".formatted(configuration.name(), StrictYaml.shown(name)),
                    "see remus status");
        }
        return vm;
    }

    private ActiveVm findActive(String name, String verb) throws OperationException {
        if (find(name) instanceof ActiveVm active) {
            if (active.hasEnded()) {
                VmStatus last = active.status();
                throw new OperationException(
                        Kind.CONFLICT,
                        "%s: VM %s does not run here any more, it is %s%s"
                                .formatted(verb, name, last.state(), last.reason() == null ? "" : ": " + last.reason()),
                        "remus stop %s lets host %s forget it".formatted(name, configuration.name()));
            }
            return active;
        }
        throw new OperationException(
                Kind.CONFLICT,
                "%s: host %s is the backup of VM %s, not its primary".formatted(verb, configuration.name(), name),
                "ask its primary");
    }

    @Override
    public VmStatus start(StartRequest request) throws OperationException {
        Path base = Path.of(request.baseDirectory());
        if (!base.isAbsolute()) {
            throw new OperationException(
                    Kind.REFUSED, "baseDirectory: %s is not absolute".formatted(StrictYaml.shown(base.toString())), "");
        }
        VmDefinitionFile file = VmDefinitionFile.parse(request.definition(), base, facts);
        ProtectionSettings protection = file.protection();
        ActiveVm vm = starter.start(
                file.definition(),
                protection == null ? ProtectionSettings.DEFAULTS : protection,
                Boolean.TRUE.equals(request.forceStale()));
        return vm.status();
    }

    @Override
    public VmStatus protect(String name, ProtectRequest request) throws OperationException {
        ActiveVm vm = findActive(name, "protect");
        protections.protect(vm, request);
        return vm.status();
    }

    @Override
    public VmStatus unprotect(String name, boolean force) throws OperationException {
        ActiveVm vm = findActive(name, "unprotect");
        await(vm.unprotect(force));
        return vm.status();
    }

    @Override
    public VmStatus pause(String name) throws OperationException {
        ActiveVm vm = findActive(name, "pause");
        await(vm.pause(true));
        return vm.status();
    }

    @Override
    public VmStatus resume(String name) throws OperationException {
        ActiveVm vm = findActive(name, "resume");
        await(vm.pause(false));
        return vm.status();
    }

    @Override
    public VmStatus switchover(String name) throws OperationException {
        ActiveVm vm = findActive(name, "switchover");
        ArbiterView arbiter = services.arbitration().view();
        if (!arbiter.reachable()) {
            throw new OperationException(
                    Kind.CONFLICT,
                    "switchover: the arbiter, which has to note it, can't be asked now: " + arbiter.reason(),
                    "try again when remus status shows that it can");
        }
        VmStatus first = vm.status();
        String backup = first.peer();
        await(vm.switchOver(), SWITCHOVER_LIMIT);
        VmStatus last = vm.status();
        return last.because("runs on %s: %s, %d output frames dropped"
                .formatted(
                        backup,
                        figuresFrom(backup, name),
                        last.output().droppedFrames() - first.output().droppedFrames()));
    }

    /** What the new owner says of a switchover. */
    private String figuresFrom(@Nullable String owner, String vm) {
        if (owner == null) {
            return SwitchoverFigures.UNKNOWN;
        }
        HostAddress there = HostAddress.parse(owner, 0);
        return new SwitchoverFigures(
                        configuration.name(), limit -> services.peers().ask(there, vm, limit), services.time())
                .await();
    }

    @Override
    public MigrationStatus migrate(String name, MigrateRequest request) throws OperationException {
        return migrations.migrate(findActive(name, "migrate"), request);
    }

    @Override
    public MigrationStatus migration(String name) throws OperationException {
        return migrations.status(name);
    }

    @Override
    public MigrationStatus cancelMigration(String name) throws OperationException {
        return migrations.cancel(name, services.registry().find(name) instanceof ActiveVm active ? active : null);
    }

    @Override
    public VmStatus stop(String name) throws OperationException {
        HostedVm vm = find(name);
        if (vm instanceof StandbyVm) {
            findActive(name, "stop");
        }
        await(vm.shutdown("stopped by command"));
        VmStatus last = vm.status();
        services.registry().remove(vm);
        return last;
    }

    @Override
    public VmStatus failover(String name, FailoverRequest request) throws OperationException {
        if (!(find(name) instanceof StandbyVm standby)) {
            throw new OperationException(
                    Kind.CONFLICT,
                    "failover: VM %s runs on host %s already".formatted(name, configuration.name()),
                    "ask its backup");
        }
        await(standby.failover(request.force()));
        return find(name).status();
    }

    /** Waits for what a VM's agent was asked to do. */
    static void await(CompletableFuture<Void> operation) throws OperationException {
        await(operation, OPERATION_LIMIT);
    }

    private static void await(CompletableFuture<Void> operation, Duration limit) throws OperationException {
        try {
            operation.get(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new OperationException(Kind.FAILED, "the daemon is ending", "", e);
        } catch (TimeoutException e) {
            throw new OperationException(
                    Kind.FAILED,
                    "not done within %d s".formatted(limit.toSeconds()),
                    "it goes on by itself: watch remus events --follow",
                    e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof OperationException refused) {
                throw refused;
            }
            throw new OperationException(Kind.FAILED, String.valueOf(e.getCause()), "see the daemon's log", e);
        }
    }

    /**
     * Ends all VMs in good order, each signed off by its other side, or lets them go on where they are to be kept; then
     * ends everything else.
     */
    @Override
    public void close() {
        starter.close();
        services.keeper().close();
        services.drain().close();
        long deadline = System.nanoTime() + SHUTDOWN_LIMIT.toNanos();
        // More than once: a standby that is just being activated becomes a VM that runs here.
        List<HostedVm> living = living();
        while (!living.isEmpty() && System.nanoTime() - deadline < 0) {
            endAll(living, deadline - System.nanoTime(), configuration.keepVms());
            living = living();
        }
        resources.close();
    }

    private void leaveRunning(HostedVm vm) {
        if (vm instanceof ActiveVm active) {
            services.runtime().leave(active.handle().directory());
        }
    }

    private List<HostedVm> living() {
        return services.registry().all().stream().filter(vm -> !vm.hasEnded()).toList();
    }

    private void endAll(List<HostedVm> vms, long limitNanos, boolean keep) {
        if (keep) {
            // One that does not answer in time is left all the same.
            vms.forEach(this::leaveRunning);
        }
        String why = "the daemon of host " + configuration.name() + " ends";
        CompletableFuture<?>[] ending =
                vms.stream().map(vm -> keep ? vm.leave(why) : vm.shutdown(why)).toArray(CompletableFuture[]::new);
        try {
            CompletableFuture.allOf(ending).get(limitNanos, TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            LOG.warn("not all VMs ended in good order: {}", e.toString());
        }
        if (keep) {
            // A standby may have become one in the last moment.
            living().forEach(this::leaveRunning);
        }
    }
}
