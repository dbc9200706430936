package remus.host;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.VmRole;
import remus.base.Term;
import remus.memory.GuestMemory;
import remus.qemu.Accelerator;
import remus.qemu.MachineType;
import remus.qemu.QemuException;
import remus.qemu.VmDefinition;
import remus.replication.BackupConnection;
import remus.replication.SessionHandler;
import remus.wire.Hello;
import remus.wire.HostAnswer;
import remus.wire.OwnerAnswer;
import remus.wire.OwnerState;
import remus.wire.Refusal;

/**
 * What this host does for others: takes protection sessions of their VMs, unless it can't back them up, and answers who
 * owns a VM. Thread-safe.
 */
final class BackupService implements SessionHandler {
    private static final Logger LOG = LoggerFactory.getLogger(BackupService.class);

    private final HostServices services;
    private final HostFacts facts;
    private final HostDescription description;

    /** VMs of which a session asks to begin right now. */
    private final Set<String> admitting = ConcurrentHashMap.newKeySet();

    BackupService(HostServices services, HostFacts facts) {
        this.services = services;
        this.facts = facts;
        description = new HostDescription(
                services.hostName(), services.installation(), facts::automaticAccelerator, services.time());
    }

    @Override
    public void session(Hello hello, BackupConnection connection) {
        if (hello.mode() == Hello.Mode.RESUME) {
            if (services.registry().find(hello.vm()) instanceof StandbyVm standby) {
                standby.resume(connection, this::refuseToResume);
            } else {
                refuseToResume(connection);
            }
            return;
        }
        if (!admitting.add(hello.vm())) {
            refuse(connection, busy(hello));
            return;
        }
        try {
            admit(hello, connection);
        } finally {
            admitting.remove(hello.vm());
        }
    }

    /** One session of a VM at a time: what it finds of the VM is as it found it until it is admitted or refused. */
    private void admit(Hello hello, BackupConnection connection) {
        if (!isAwaited(connection)) {
            return; // and must not end the session of whoever came after it
        }
        Refusal refusal;
        try (var _ = services.drain().admit(hello.vm(), VmRole.BACKUP)) {
            refusal =
                    refusalToBegin(hello, connection.term(), services.registry().find(hello.vm()));
            // The former session may have taken its time to end.
            if (refusal == null && isAwaited(connection)) {
                refusal = begin(hello, connection);
            }
        } catch (OperationException e) {
            refusal = new Refusal(Refusal.Code.OTHER, String.valueOf(e.getMessage()));
        }
        if (refusal != null) {
            refuse(connection, refusal);
        }
    }

    /** A primary that has lost its patience says hello again: a session with its former connection would be in the way. */
    private static boolean isAwaited(BackupConnection connection) {
        boolean awaited = connection.isAwaited();
        if (!awaited) {
            LOG.info(
                    "VM {}: {} has gone before its session could begin",
                    connection.hello().vm(),
                    connection.hello().host());
            connection.close();
        }
        return awaited;
    }

    private @Nullable Refusal begin(Hello hello, BackupConnection connection) {
        SharedDefinition definition = SharedDefinition.decode(hello.definition());
        MemoryNeed need = MemoryNeed.ofStandby(hello, definition);
        try (var _ = services.memory().admit("the standby of VM " + hello.vm(), need)) {
            return beginAdmitted(hello, connection, definition);
        } catch (OperationException e) {
            return new Refusal(Refusal.Code.NO_ROOM, "host " + services.hostName() + ": " + e.getMessage());
        }
    }

    private @Nullable Refusal beginAdmitted(Hello hello, BackupConnection connection, SharedDefinition definition) {
        StandbyVm standby = new StandbyVm(services, connection, definition);
        if (services.registry().addUnlessInUse(standby) != null) {
            return inUse(hello); // started here meanwhile
        }
        Agent.begin(
                Thread.ofPlatform().factory(),
                "standby-" + hello.vm(),
                standby::run,
                () -> services.registry().remove(standby));
        return null;
    }

    /**
     * A primary wants to go on with a session that is not here. Whether it may go on alone depends on the answer, so
     * {@code UNKNOWN_SESSION} is said only where this host neither runs the VM nor has taken it over, nor knows of a later
     * term, in which somebody else may have.
     */
    private void refuseToResume(BackupConnection connection) {
        String vm = connection.hello().vm();
        StateDirectory.Ownership known = services.state().ownership(vm);
        boolean takenOver = services.registry().find(vm) instanceof ActiveVm
                || known.term() > connection.term().value()
                || (known.activated() && known.term() == connection.term().value());
        refuse(
                connection,
                takenOver
                        ? new Refusal(
                                Refusal.Code.ACTIVATED,
                                "VM %s is past term %s: host %s knows of term %d"
                                        .formatted(vm, connection.term(), services.hostName(), known.term()))
                        : new Refusal(
                                Refusal.Code.UNKNOWN_SESSION,
                                "host %s has no checkpoint of VM %s".formatted(services.hostName(), vm)));
    }

    private static void refuse(BackupConnection connection, Refusal refusal) {
        LOG.info(
                "VM {}: session of {} refused: {}",
                connection.hello().vm(),
                connection.hello().host(),
                refusal.reason());
        connection.refuse(refusal);
        connection.close();
    }

    private @Nullable Refusal refusalToBegin(Hello hello, Term term, @Nullable HostedVm present) {
        HostedVm.Yield yield = present == null ? HostedVm.Yield.FREE : present.yieldTo(term);
        if (yield != HostedVm.Yield.FREE) {
            return yield == HostedVm.Yield.BUSY ? busy(hello) : inUse(hello);
        }
        StateDirectory.Ownership known = services.state().ownership(hello.vm());
        // A primary whose connection broke before READY begins again in the same term. Where there is an arbiter, its
        // record says who may activate, and what this host once noted may be of a time without.
        boolean isOver = term.value() < known.term() || (term.value() == known.term() && known.activated());
        if (isOver && services.arbiter() == null) {
            return new Refusal(
                    Refusal.Code.STALE_TERM,
                    "term %s of VM %s is over: host %s knows of term %d"
                            .formatted(term, hello.vm(), services.hostName(), known.term()));
        }
        String version = services.installation().features().version();
        if (!version.equals(hello.qemuVersion())) {
            return incompatible("QEMU %s here, %s on the primary".formatted(version, hello.qemuVersion()));
        }
        if (hello.pageBytes() != GuestMemory.PAGE_BYTES) {
            return incompatible("pages of %d bytes".formatted(hello.pageBytes()));
        }
        return refusalOfDefinition(hello);
    }

    private @Nullable Refusal refusalOfDefinition(Hello hello) {
        SharedDefinition definition;
        try {
            definition = SharedDefinition.decode(hello.definition());
        } catch (RuntimeException e) {
            return incompatible("its definition can't be read: " + e.getMessage());
        }
        if (!definition.name().equals(hello.vm()) || definition.memoryBytes() != hello.memoryBytes()) {
            return incompatible("its definition contradicts its hello");
        }
        MachineType machine = definition.machine();
        if (!machine.versionedName().equals(hello.machine())) {
            return incompatible("QEMU %s here has no machine type %s"
                    .formatted(services.installation().features().version(), hello.machine()));
        }
        try {
            services.installation().require(machine);
        } catch (QemuException e) {
            return incompatible("on this host, " + e.getMessage());
        }
        if (definition.accelerator() == Accelerator.KVM && !facts.hasKvm()) {
            return incompatible("it runs under KVM, which this host does not have");
        }
        for (VmDefinition.Nic nic : definition.nics()) {
            if (!facts.hasBridge(nic.bridge())) {
                return incompatible("host %s has no bridge %s".formatted(services.hostName(), nic.bridge()));
            }
        }
        return null;
    }

    private Refusal busy(Hello hello) {
        return new Refusal(
                Refusal.Code.BUSY,
                "an earlier session of VM %s has yet to end on host %s".formatted(hello.vm(), services.hostName()));
    }

    private Refusal inUse(Hello hello) {
        return new Refusal(
                Refusal.Code.NAME_IN_USE,
                "host %s has a VM named %s already".formatted(services.hostName(), hello.vm()));
    }

    private static Refusal incompatible(String why) {
        return new Refusal(Refusal.Code.INCOMPATIBLE, "this host can't be its backup: " + why);
    }

    @Override
    public HostAnswer host() {
        return description.answer(services.memory()::room);
    }

    @Override
    public OwnerAnswer answer(String vm) {
        HostedVm present = services.registry().find(vm);
        if (present != null) {
            return present.ownerAnswer();
        }
        StateDirectory.Ownership known = services.state().ownership(vm);
        return known.activated()
                ? new OwnerAnswer(
                        vm,
                        services.hostName(),
                        OwnerState.STOPPED,
                        new Term(known.term()),
                        "taken over here, and gone since")
                : new OwnerAnswer(
                        vm, services.hostName(), OwnerState.UNKNOWN, new Term(known.term()), "no such VM here");
    }

    @Override
    public OwnerAnswer fence(String vm, Term term) {
        HostedVm present = services.registry().find(vm);
        return present == null ? answer(vm) : present.fence(term);
    }
}
