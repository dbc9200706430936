package remus.cli;

import java.util.List;
import remus.api.VmRole;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.base.RemusException;

/** Which host of the demo has the VM, by what each says of itself. */
final class VmOwner {
    private VmOwner() {}

    /** The VM runs there, its output flows, and no backup has a part in it. */
    static boolean isAlone(DemoHost host) throws RemusException {
        List<VmStatus> vms = host.status().vms();
        if (vms.isEmpty() || vms.getFirst().role() != VmRole.PRIMARY) {
            return false;
        }
        VmStatus vm = vms.getFirst();
        return switch (vm.state()) {
            case UNPROTECTED -> true;
            // So it says from the loss of the backup until the arbiter has decided.
            case DEGRADED -> !String.valueOf(vm.reason()).startsWith("output is held");
            case PROTECTED, SYNCHRONIZING, ACTIVATING, STANDBY, FENCED, STOPPED -> false;
        };
    }

    static boolean isIn(DemoHost host, VmState state) throws RemusException {
        List<VmStatus> vms = host.status().vms();
        return !vms.isEmpty() && vms.getFirst().state() == state;
    }

    /** It has nothing of the VM that could run any more. */
    static boolean isOut(DemoHost host) throws RemusException {
        List<VmStatus> vms = host.status().vms();
        return vms.isEmpty()
                || (vms.getFirst().state() == VmState.FENCED && vms.getFirst().qemuPid() == null);
    }

    /** Protected by the other one, or alone and the other one knows it. */
    static boolean isSettled(DemoHost owner, DemoHost other) throws RemusException {
        return (isIn(owner, VmState.PROTECTED) && isIn(other, VmState.STANDBY)) || (isAlone(owner) && isOut(other));
    }
}
