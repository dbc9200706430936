package remus.host;

import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.EventType;
import remus.availability.HostId;
import remus.availability.OwnershipRecord;
import remus.availability.PrimaryOwnership;
import remus.availability.PrimaryState;
import remus.availability.Step;
import remus.base.CloseStack;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Invariant;
import remus.base.Term;
import remus.disk.DiskException;
import remus.disk.ImageWitness;
import remus.disk.NbdServer;
import remus.host.OperationException.Kind;
import remus.linux.LinuxException;
import remus.memory.GuestMemory;
import remus.network.GuestNetwork;
import remus.network.NicLink;
import remus.qemu.QemuException;
import remus.qemu.QemuPaths;
import remus.qemu.RunningGuest;
import remus.qemu.VmDefinition;
import remus.replication.SessionFarewell;
import remus.wire.Hello;
import remus.wire.HelloDisk;

/**
 * Takes over the VMs that a former daemon has left running, before this one answers anybody: brings disks and network back
 * to their QEMUs, and asks who owns them where a backup may have taken over meanwhile. Output is held until that is clear
 * ({@link PrimaryOwnership#restarted}); a VM that had no session since its last record is this host's at once.
 *
 * <p>A QEMU that does not answer is as good as dead and is ended, as it would be under a daemon that lives. Whatever else
 * goes wrong lies outside of the VM: it is left as it is, and the daemon does not start.
 */
final class VmAdoption {
    private static final Logger LOG = LoggerFactory.getLogger(VmAdoption.class);

    private final HostServices services;
    private final int replicationPort;

    /** @param replicationPort where backups of former sessions know this host */
    VmAdoption(HostServices services, int replicationPort) {
        this.services = services;
        this.replicationPort = replicationPort;
    }

    /** @throws OperationException when one can't be adopted; all of them run on then */
    void adoptAll() throws OperationException {
        List<RuntimeDirectory.Found> all = services.runtime().found();
        for (RuntimeDirectory.Found found : all) {
            VmDefinition definition = found.vm().definition();
            try {
                begin(adopt(found), found);
            } catch (QemuException e) {
                endHanging(found, e);
            } catch (IOException | DiskException | LinuxException | IllegalStateException e) {
                throw new OperationException(
                        Kind.FAILED,
                        "VM %s runs in QEMU %d, which a former daemon has left, and can't be taken over: %s"
                                .formatted(definition.name(), found.process().pid(), e.getMessage()),
                        "mend that and start the daemon again; or end the VM: kill %d"
                                .formatted(found.process().pid()),
                        e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new OperationException(Kind.FAILED, "the daemon is ending", "", e);
            }
        }
    }

    /** What has no agent is nobody's: it is left as it was found. */
    private void begin(ActiveVm vm, RuntimeDirectory.Found found) {
        HostedVm other = services.registry().addUnlessInUse(vm);
        Invariant.check(other == null, "vm=%s was found twice, now in %s", vm.name(), found.directory());
        services.runtime().own(found.directory());
        Agent.begin(Thread.ofPlatform().factory(), "vm-" + vm.name(), vm::run, () -> {
            services.runtime().leave(found.directory());
            services.registry().remove(vm);
        });
    }

    private void endHanging(RuntimeDirectory.Found found, QemuException cause) throws OperationException {
        String name = found.vm().definition().name();
        LOG.error("VM {}: its QEMU is of no use: {}", name, cause.getMessage());
        try {
            RuntimeDirectory.clear(found.directory());
        } catch (IOException e) {
            throw new OperationException(Kind.FAILED, "VM %s can't be ended: %s".formatted(name, e), "", e);
        }
        services.events()
                .publish(
                        name,
                        EventType.GUEST_DEAD,
                        "found by a daemon started anew, and ended: " + cause.getMessage(),
                        found.vm().lastTerm(),
                        EpochId.NONE);
    }

    private ActiveVm adopt(RuntimeDirectory.Found found)
            throws IOException, DiskException, LinuxException, QemuException, InterruptedException {
        RunningVm vm = found.vm();
        VmDefinition definition = vm.definition();
        services.startGenerationsAfter(found.directory());
        QemuPaths paths = new QemuPaths(found.directory(), services.state().vm(definition.name()));
        try (CloseStack onFailure = new CloseStack()) {
            VmDisks disks = onFailure.push(
                    vm.withheld()
                            ? VmDisks.openWithheld(definition, services.time())
                            : VmDisks.open(definition, services.time()));
            definition.disks().forEach(disk -> ImageWitness.removeLeftovers(disk.image()));
            // The former daemon may have owed the guest that, and nobody else knows any more.
            disks.sync();
            Files.deleteIfExists(paths.diskSocket());
            NbdServer server = disks.serve(paths.diskSocket());
            if (server != null) {
                onFailure.push(server);
            }
            RunningGuest guest = RunningGuest.adopt(found.process(), paths, services.qemuLimits(), services.time());
            onFailure.push(guest::leave);
            services.threads().set(guest.process(), false);
            GuestNetwork network = onFailure.push(StandbyParts.network(definition, paths));
            for (NicLink nic : network.nics()) {
                nic.bringUp();
            }
            VmArbiter arbiter = onFailure.push(arbiter(found));
            VmHandle handle = new VmHandle(definition, paths, found.directory());
            ActiveVm adopted = new ActiveVm(
                    services,
                    new VmParts(handle, guest, network, disks, server),
                    arbiter,
                    RunningNote.begin(found.directory(), vm),
                    new ActiveVm.Beginning(vm.lastTerm(), first(vm), "it was adopted by a daemon started anew"));
            adopted.adopted(why(vm), vm.paused());
            onFailure.release();
            return adopted;
        }
    }

    private static String why(RunningVm vm) {
        RunningVm.Session session = vm.session();
        return session == null
                ? "found running by a daemon started anew"
                : "found running by a daemon started anew, with %s as its backup in term %d"
                        .formatted(session.backup(), session.term());
    }

    private OwnershipRecord record(RunningVm vm) {
        return vm.record(new HostId(services.hostName()));
    }

    private Step<PrimaryState> first(RunningVm vm) {
        return vm.session() == null
                ? new Step<>(
                        new PrimaryState(services.newRequests(), new PrimaryState.Alone(record(vm), vm.spent())),
                        List.of())
                : PrimaryOwnership.restarted(services.newRequests());
    }

    /** It answers as soon as the VM's agent says on which thread. */
    private VmArbiter arbiter(RuntimeDirectory.Found found) {
        RunningVm vm = found.vm();
        String name = vm.definition().name();
        Term known = new Term(
                Math.max(services.state().ownership(name).term(), vm.lastTerm().value()));
        VmArbiter arbiter = new VmArbiter(services, name, Runnable::run, known);
        RunningVm.Session session = vm.session();
        if (session == null) {
            arbiter.inheritsAlone(record(vm));
        } else {
            arbiter.inherits(
                    session,
                    new SessionFarewell(
                            session.address(),
                            hello(vm.definition(), session),
                            session.sessionTerm(),
                            services.time()));
        }
        return arbiter;
    }

    private Hello hello(VmDefinition definition, RunningVm.Session session) {
        return new Hello(
                Hello.Mode.RESUME,
                definition.name(),
                services.hostName(),
                new HostAddress(services.advertised().host(), replicationPort),
                definition.machine().versionedName(),
                services.installation().features().version(),
                definition.memory().bytes(),
                GuestMemory.PAGE_BYTES,
                session.interval(),
                session.detect(),
                0,
                new byte[0],
                List.of(),
                List.<HelloDisk>of());
    }
}
