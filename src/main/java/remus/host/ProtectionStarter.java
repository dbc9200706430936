package remus.host;

import java.io.IOException;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;
import remus.api.ProtectRequest;
import remus.availability.HostId;
import remus.base.HostAddress;
import remus.host.OperationException.Kind;
import remus.replication.PeerAnswer;
import remus.wire.OwnerAnswer;

/** Begins to protect VMs of this host: by command, or for the {@link ProtectionKeeper}. Thread-safe. */
final class ProtectionStarter implements ProtectionKeeper.Hosts {
    private static final Duration REACH_LIMIT = Duration.ofSeconds(5);

    /** Other candidates wait for the answer. */
    private static final Duration AGAIN_LIMIT = Duration.ofSeconds(1);

    private final HostConfiguration configuration;
    private final HostServices services;
    private final int replicationPort;

    /** @param replicationPort where this host listens */
    ProtectionStarter(HostConfiguration configuration, HostServices services, int replicationPort) {
        this.configuration = configuration;
        this.services = services;
        this.replicationPort = replicationPort;
    }

    // ---- by command

    /** Begins as asked; does nothing where the VM has that backup, or is about to. */
    void protect(ActiveVm vm, ProtectRequest request) throws OperationException {
        ProtectionSettings settings = vm.protection().with(request);
        if (settings.backups().isEmpty()) {
            throw new OperationException(
                    Kind.REFUSED,
                    "protect: no backup is named, neither by the command nor by the definition of " + vm.name(),
                    "use --backup ADDR:PORT");
        }
        if (request.backup() == null) {
            protectByAny(vm, settings);
        } else {
            protectBy(vm, settings, settings.backups().getFirst());
        }
    }

    /** By the first candidate that can be had; when none can, the first one's refusal counts. */
    private void protectByAny(ActiveVm vm, ProtectionSettings settings) throws OperationException {
        HostAddress present = vm.backup();
        if (present != null) {
            for (String candidate : settings.backups()) {
                if (present.equals(known(candidate))) {
                    return;
                }
            }
        }
        OperationException first = null;
        for (String candidate : settings.backups()) {
            try {
                protectBy(vm, settings, candidate);
                return;
            } catch (OperationException e) {
                if (first == null) {
                    first = e;
                } else {
                    first.addSuppressed(e);
                }
            }
        }
        if (first != null) {
            throw first;
        }
    }

    private @Nullable HostAddress known(String candidate) {
        try {
            return locate(candidate);
        } catch (OperationException e) {
            return null;
        }
    }

    private void protectBy(ActiveVm vm, ProtectionSettings settings, String candidate) throws OperationException {
        HostAddress backup = locate(candidate);
        if (backup == null) {
            throw new OperationException(
                    Kind.REFUSED,
                    "protect: the backup %s is this host itself".formatted(configuration.peerAddress(candidate)),
                    "name another host");
        }
        HostAddress present = vm.backup();
        if (backup.equals(present)) {
            return;
        }
        if (present != null) {
            throw ActiveCommands.protectedAlready(vm.name(), present);
        }
        HostId name = switch (services.peers().ask(backup, vm.name(), REACH_LIMIT)) {
            case PeerAnswer.Answered(OwnerAnswer owner) -> new HostId(owner.host());
            case PeerAnswer.Refused refused -> throw unreachable(backup, "its port refuses: " + refused.cause());
            case PeerAnswer.Unreachable unreachable -> throw unreachable(backup, unreachable.cause());
        };
        SessionStarter.Backup to = new SessionStarter.Backup(backup, name, "by command");
        HostDaemon.await(vm.protect(settings, new SessionStarter(services, settings, to, replicationPort, vm)));
    }

    private static OperationException unreachable(HostAddress backup, String cause) {
        return new OperationException(
                Kind.FAILED,
                "the backup %s can't be reached: %s".formatted(backup, cause),
                "start `remus host` there, and check address and firewall");
    }

    // ---- for the keeper

    @Override
    public @Nullable HostAddress locate(String candidate) throws OperationException {
        if (candidate.equals(configuration.name()) && !configuration.peers().containsKey(candidate)) {
            return null;
        }
        HostAddress address = configuration.peerAddress(candidate);
        return isThisHost(address) ? null : address;
    }

    private boolean isThisHost(HostAddress address) {
        String listen = configuration.listen().host();
        if (address.port() != replicationPort) {
            return false;
        }
        if (address.host().equals(listen)) {
            return true;
        }
        try {
            InetAddress other = InetAddress.getByName(address.host());
            boolean onAllAddresses = InetAddress.getByName(listen).isAnyLocalAddress();
            return onAllAddresses && (other.isAnyLocalAddress() || NetworkInterface.getByInetAddress(other) != null);
        } catch (IOException e) {
            return false; // an address that nobody knows is refused as unreachable
        }
    }

    @Override
    public ProtectionKeeper.Outcome protect(String name, ProtectionSettings policy, HostAddress backup, String why) {
        if (!(services.registry().find(name) instanceof ActiveVm vm) || vm.hasEnded()) {
            return new ProtectionKeeper.Outcome.Busy("VM " + name + " does not run here");
        }
        try {
            vm.requireReadyToProtect();
            return switch (services.peers().ask(backup, name, AGAIN_LIMIT)) {
                case PeerAnswer.Refused refused -> new ProtectionKeeper.Outcome.Down(refused.cause());
                case PeerAnswer.Unreachable unreachable -> new ProtectionKeeper.Outcome.Down(unreachable.cause());
                case PeerAnswer.Answered(OwnerAnswer owner) -> {
                    SessionStarter.Backup to = new SessionStarter.Backup(backup, new HostId(owner.host()), why);
                    vm.protectAgain(policy, new SessionStarter(services, policy, to, replicationPort, vm))
                            .get();
                    yield new ProtectionKeeper.Outcome.Begun();
                }
            };
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return new ProtectionKeeper.Outcome.Busy("the daemon is ending");
        } catch (ExecutionException e) {
            return e.getCause() instanceof OperationException refused
                    ? refusal(backup, refused)
                    : new ProtectionKeeper.Outcome.Refused(backup + ": " + e.getCause());
        } catch (OperationException e) {
            return refusal(backup, e);
        }
    }

    private static ProtectionKeeper.Outcome refusal(HostAddress backup, OperationException refused) {
        return refused.kind() == Kind.CONFLICT
                ? new ProtectionKeeper.Outcome.Busy(String.valueOf(refused.getMessage()))
                : new ProtectionKeeper.Outcome.Refused(backup + ": " + refused.getMessage());
    }

    @Override
    public boolean answers(HostAddress host, String vm) {
        return services.peers().ask(host, vm, AGAIN_LIMIT) instanceof PeerAnswer.Answered;
    }

    @Override
    public void waits(String name, String reason, boolean news) {
        if (services.registry().find(name) instanceof ActiveVm vm) {
            vm.waits(reason, news);
        }
    }
}
