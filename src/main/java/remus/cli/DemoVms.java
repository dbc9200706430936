package remus.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import remus.api.VmRole;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.base.RemusException;

/** What hosts of the demo say of VMs. */
final class DemoVms {
    private DemoVms() {}

    /** The VM as the host sees it; empty where it knows nothing of it. */
    static Optional<VmStatus> on(DemoHost host, String vm) throws RemusException {
        return host.status().vms().stream()
                .filter(status -> status.name().equals(vm))
                .findFirst();
    }

    /** The VM runs there and has a backup. */
    static boolean isProtectedOn(DemoHost host, String vm) throws RemusException {
        return on(host, vm)
                .filter(status -> status.role() == VmRole.PRIMARY && status.state() == VmState.PROTECTED)
                .isPresent();
    }

    /** The VM runs there without a backup, and nobody has begun to be one. */
    static boolean isAloneOn(DemoHost host, String vm) throws RemusException {
        return on(host, vm)
                .filter(status -> status.role() == VmRole.PRIMARY && status.state() == VmState.UNPROTECTED)
                .isPresent();
    }

    /** Processes of all QEMUs that the host says to have, also of standbys. */
    static List<Long> qemus(DemoHost host) throws RemusException {
        return host.status().vms().stream()
                .map(VmStatus::qemuPid)
                .filter(Objects::nonNull)
                .toList();
    }

    /** Who runs a VM, and who backs it up. */
    record Pair(DemoHost primary, DemoHost backup) {}

    /** The two hosts that have a protected VM by now. */
    static Optional<Pair> pairOf(String vm, List<DemoHost> hosts) throws RemusException {
        for (DemoHost primary : hosts) {
            Optional<VmStatus> status = on(primary, vm)
                    .filter(there -> there.role() == VmRole.PRIMARY && there.state() == VmState.PROTECTED);
            if (status.isPresent()) {
                String peer = String.valueOf(status.get().peer());
                for (DemoHost backup : hosts) {
                    if (backup.replicationAddress().toString().equals(peer) && isStandbyOn(backup, vm)) {
                        return Optional.of(new Pair(primary, backup));
                    }
                }
            }
        }
        return Optional.empty();
    }

    private static boolean isStandbyOn(DemoHost host, String vm) throws RemusException {
        return on(host, vm).filter(status -> status.state() == VmState.STANDBY).isPresent();
    }

    /** What each host says of the VM, for an error. */
    static String told(String vm, List<DemoHost> hosts) throws RemusException {
        List<String> words = new ArrayList<>();
        for (DemoHost host : hosts) {
            words.add("%s: %s"
                    .formatted(
                            host.name(),
                            on(host, vm)
                                    .map(status -> status.state() + ", " + status.reason())
                                    .orElse("nothing")));
        }
        return String.join("; ", words);
    }
}
