package remus.host;

import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import remus.api.VmStatus;
import remus.base.HostAddress;
import remus.host.HostDrain.Whereabouts;
import remus.replication.PeerAnswer;
import remus.wire.OwnerAnswer;

/** The VMs of this host, as {@link HostDrain} sees and moves them. Thread-safe. */
final class DrainedHost implements HostDrain.Host {
    private static final Duration ASK_LIMIT = Duration.ofSeconds(2);

    private final HostServices services;
    private final ProtectionStarter protections;
    private final HostOperations operations;

    DrainedHost(HostServices services, ProtectionStarter protections, HostOperations operations) {
        this.services = services;
        this.protections = protections;
        this.operations = operations;
    }

    @Override
    public List<HostDrain.Present> present() {
        return services.registry().all().stream().flatMap(DrainedHost::present).toList();
    }

    private static Stream<HostDrain.Present> present(HostedVm vm) {
        if (vm.hasEnded()) {
            return Stream.empty();
        }
        VmStatus status = vm.published();
        return switch (vm) {
            case ActiveVm active ->
                Stream.of(new HostDrain.Present(
                        status, active.isToBeProtected(), active.protection().backups()));
            case StandbyVm standby -> Stream.of(new HostDrain.Present(status, true, standby.candidates()));
        };
    }

    @Override
    public String switchOver(String vm) throws OperationException {
        return Objects.requireNonNullElse(operations.switchover(vm).reason(), "runs on its backup");
    }

    @Override
    public void relieve(String vm, String why) {
        if (services.registry().find(vm) instanceof StandbyVm standby) {
            standby.relieve(why);
        }
    }

    @Override
    public Whereabouts whereabouts(String vm, String owner, List<String> backups) {
        HostAddress there = HostAddress.parse(owner, 0);
        boolean hasOthers = backups.stream().anyMatch(backup -> isOther(backup, there));
        return judge(services.peers().ask(there, vm, ASK_LIMIT), vm, there, hasOthers);
    }

    /** Whether that is neither this host nor the other one, as far as is known here. */
    private boolean isOther(String backup, HostAddress than) {
        try {
            HostAddress located = protections.locate(backup);
            return located != null && !located.equals(than);
        } catch (OperationException e) {
            return true;
        }
    }

    /** @param hasOthers whether a third host is named that could back the VM up */
    static Whereabouts judge(PeerAnswer answer, String vm, HostAddress owner, boolean hasOthers) {
        String see = "see remus status %s on %s".formatted(vm, owner);
        return switch (answer) {
            case PeerAnswer.Answered(OwnerAnswer says) ->
                switch (says.state()) {
                    case RUNNING_PROTECTED -> new Whereabouts(true, "it is protected there");
                    case RUNNING_ALONE, RUNNING_UNCERTAIN, ACTIVATING, STANDBY ->
                        hasOthers
                                ? new Whereabouts(false, "it is not protected there yet, " + see)
                                : new Whereabouts(
                                        true, "it has no backup there until this host is back: no other is named");
                    case STOPPED -> new Whereabouts(true, "it was stopped there");
                    case FENCED, UNKNOWN -> new Whereabouts(false, "it does not run there, " + see);
                };
            case PeerAnswer.Refused refused -> new Whereabouts(false, "it can't be asked for: " + refused.cause());
            case PeerAnswer.Unreachable unreachable ->
                new Whereabouts(false, "it can't be asked for: " + unreachable.cause());
        };
    }
}
