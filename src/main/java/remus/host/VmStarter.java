package remus.host;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Phaser;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.EventType;
import remus.api.VmRole;
import remus.availability.PrimaryState;
import remus.base.CloseStack;
import remus.base.EpochId;
import remus.base.Term;
import remus.disk.DiskException;
import remus.disk.NbdServer;
import remus.host.OperationException.Kind;
import remus.linux.LinuxException;
import remus.memory.GuestMemoryException;
import remus.memory.SharedRamFile;
import remus.network.GuestNetwork;
import remus.network.NicLink;
import remus.qemu.QemuException;
import remus.qemu.QemuPaths;
import remus.qemu.RunningGuest;
import remus.qemu.VmDefinition;

/**
 * Boots VMs on this host, each with everything around it, on the thread that becomes its agent. After {@link #close} none
 * is booting any more, so that the registry has them all: what still asks for its VM then gives up, and what is booting by
 * then is ended where it is. Thread-safe.
 */
final class VmStarter implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(VmStarter.class);

    /** What a start may take besides the claim and QEMU's own start: files, disks, TAPs. */
    private static final Duration PREPARING_LIMIT = Duration.ofSeconds(5);

    private final HostServices services;
    private final Set<OwnershipClaim> claims = ConcurrentHashMap.newKeySet();
    private final ThreadFactory agents;
    private volatile boolean ending;

    /** Has a party for each VM that is booting, and one for this object, whose arrival ends it. */
    private final Phaser booting = new Phaser(1);

    VmStarter(HostServices services) {
        this(services, Thread.ofPlatform().factory());
    }

    /** @param agents makes the threads that boot VMs and become their agents */
    VmStarter(HostServices services, ThreadFactory agents) {
        this.services = services;
        this.agents = agents;
    }

    /**
     * Boots the VM; when this returns its guest runs, when it throws nothing is left.
     *
     * @param protection how it is to be protected, as soon as it runs if a backup is named
     * @param forceStale with the images that are here, though another host may have newer ones
     */
    ActiveVm start(VmDefinition definition, ProtectionSettings protection, boolean forceStale)
            throws OperationException {
        try (var _ = services.drain().admit(definition.name(), VmRole.PRIMARY)) {
            HostedVm present = services.registry().find(definition.name());
            if (present != null && !(present.hasEnded() && present.awaitClosed())) {
                throw inUse(present);
            }
            try (var _ =
                    services.memory().admit("VM " + definition.name(), MemoryNeed.ofRunning(definition.memory()))) {
                return startAdmitted(definition, protection, forceStale);
            }
        }
    }

    private ActiveVm startAdmitted(VmDefinition definition, ProtectionSettings protection, boolean forceStale)
            throws OperationException {
        Term imagesTerm = services.images().requireNewest(definition, forceStale);
        CompletableFuture<ActiveVm> started = new CompletableFuture<>();
        booting.register();
        var _ = started.whenComplete((vm, failure) -> booting.arriveAndDeregister());
        Runnable life = () -> {
            ActiveVm vm;
            try {
                vm = bootAndRegister(definition, protection, imagesTerm, forceStale);
            } catch (OperationException | RuntimeException e) {
                started.completeExceptionally(e);
                return;
            } catch (Error e) {
                started.completeExceptionally(e); // nobody is to wait for it any longer, whatever is wrong
                throw e;
            }
            started.complete(vm);
            vm.run();
        };
        // Where it is not begun, no close is to wait for it.
        Agent.begin(agents, "vm-" + definition.name(), life, () -> started.cancel(false));
        try {
            return started.get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new OperationException(Kind.FAILED, "the daemon is ending", "", e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof OperationException refused) {
                throw refused;
            }
            throw new IllegalStateException(e.getCause());
        }
    }

    @Override
    public void close() {
        ending = true;
        claims.forEach(OwnershipClaim::end);
        Duration limit = closeLimit();
        try {
            booting.awaitAdvanceInterruptibly(booting.arriveAndDeregister(), limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (TimeoutException e) {
            LOG.warn("a VM is still booting {} s after the daemon began to end", limit.toSeconds());
        }
    }

    /** All that a start may take from its claim on: no close gives one up that would still end by itself. */
    Duration closeLimit() {
        return OwnershipClaim.LIMIT.plus(services.qemuLimits().start()).plus(PREPARING_LIMIT);
    }

    private void requireNotEnding() throws OperationException {
        if (ending) {
            throw new OperationException(Kind.FAILED, "the daemon is ending", "");
        }
    }

    private static OperationException inUse(HostedVm present) {
        return new OperationException(
                Kind.CONFLICT,
                "name: '%s' is in use on this host".formatted(present.name()),
                "choose another name, or end that VM: remus stop " + present.name());
    }

    private Path qemuLog(VmDefinition definition) {
        return new QemuPaths(
                        services.state().root(),
                        services.state().root().resolve("vms").resolve(definition.name()))
                .logFile();
    }

    /** The highest term of the VM that is known here. */
    private Term knownTerm(String vm, Term imagesTerm) throws OperationException {
        try {
            return new Term(Math.max(services.state().ownership(vm).term(), imagesTerm.value()));
        } catch (IllegalStateException e) {
            throw new OperationException(
                    Kind.FAILED,
                    "VM %s can't be started: %s".formatted(vm, e.getMessage()),
                    "restore that file; or remove it, if no other host has this VM",
                    e);
        }
    }

    private ActiveVm bootAndRegister(
            VmDefinition definition, ProtectionSettings protection, Term imagesTerm, boolean force)
            throws OperationException {
        ActiveVm vm = claimAndBoot(definition, protection, imagesTerm, force);
        boolean runs = false;
        try {
            requireNotEnding();
            HostedVm other = services.registry().addUnlessInUse(vm);
            if (other != null) {
                throw inUse(other);
            }
            services.events().publish(vm.name(), EventType.STARTED, "runs, unprotected", vm.term(), EpochId.NONE);
            runs = true;
            return vm;
        } finally {
            if (!runs) {
                services.registry().remove(vm);
                vm.abandon();
            }
        }
    }

    /** Nothing of a VM is made before this host owns it. */
    private ActiveVm claimAndBoot(
            VmDefinition definition, ProtectionSettings protection, Term imagesTerm, boolean force)
            throws OperationException {
        OwnershipClaim claim = new OwnershipClaim(definition.name(), services.time());
        VmArbiter arbiter =
                new VmArbiter(services, definition.name(), claim::answer, knownTerm(definition.name(), imagesTerm));
        boolean booted = false;
        claims.add(claim);
        try {
            requireNotEnding();
            PrimaryState owned = claim.await(arbiter, services.pauses(), services.newRequests(), force);
            ActiveVm vm = boot(definition, protection, arbiter, owned);
            booted = true;
            return vm;
        } finally {
            claims.remove(claim);
            if (!booted) {
                arbiter.close();
            }
        }
    }

    private ActiveVm boot(VmDefinition definition, ProtectionSettings protection, VmArbiter arbiter, PrimaryState owned)
            throws OperationException {
        Path directory = services.runtime().of(definition.name(), services.nextGeneration());
        try (CloseStack onFailure = new CloseStack()) {
            QemuPaths paths = new QemuPaths(directory, services.state().vm(definition.name()));
            VmHandle handle = onFailure.push(new VmHandle(definition, paths, directory));
            paths.create();
            SharedRamFile.create(paths.ramFile(), definition.memory().bytes());
            VmDisks disks = onFailure.push(VmDisks.open(definition, services.time()));
            NbdServer server = disks.serve(paths.diskSocket());
            if (server != null) {
                onFailure.push(server);
            }
            // Before QEMU is there: whatever happens from now on, the next daemon knows what it finds.
            RunningNote note =
                    RunningNote.begin(directory, RunningVm.alone(definition, ActiveVm.recordOf(owned), protection));
            note.write();
            RunningGuest guest = onFailure.push(RunningGuest.start(
                    services.installation(), definition, paths, services.qemuLimits(), services.time()));
            RuntimeDirectory.noteProcess(directory, guest.process().identity().pid());
            GuestNetwork network = onFailure.push(StandbyParts.network(definition, paths));
            for (NicLink nic : network.nics()) {
                nic.bringUp();
            }
            services.state().noteImages(definition);
            services.images().forget(definition);
            VmParts parts = new VmParts(handle, guest, network, disks, server);
            ActiveVm vm = new ActiveVm(
                    services, parts, arbiter, note, ActiveVm.Beginning.owned(owned, "as its definition says"));
            onFailure.release();
            return vm;
        } catch (IOException | GuestMemoryException | DiskException | QemuException | LinuxException e) {
            throw new OperationException(
                    Kind.FAILED,
                    "VM %s can't be started: %s".formatted(definition.name(), e.getMessage()),
                    e instanceof QemuException ? "mend the definition, or see %s".formatted(qemuLog(definition)) : "",
                    e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new OperationException(Kind.FAILED, "the daemon is ending", "", e);
        }
    }
}
