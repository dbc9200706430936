package remus.host;

import java.util.Collection;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import org.jspecify.annotations.Nullable;

/** The VMs of a daemon by name, each once, whatever it is to them. Thread-safe. */
final class VmRegistry {
    private final ConcurrentMap<String, HostedVm> vms = new ConcurrentHashMap<>();

    /** Adds {@code vm} unless the name stands for something that still lives; returns that, or null. */
    synchronized @Nullable HostedVm addUnlessInUse(HostedVm vm) {
        HostedVm present = vms.get(vm.name());
        if (present != null && !present.hasEnded()) {
            return present;
        }
        vms.put(vm.name(), vm);
        return null;
    }

    /** What {@code old} stands for is {@code next} from now on. */
    synchronized void replace(HostedVm old, HostedVm next) {
        vms.replace(old.name(), old, next);
    }

    /** Nothing is left of {@code vm} that anybody needs to see. */
    synchronized void remove(HostedVm vm) {
        vms.remove(vm.name(), vm);
    }

    @Nullable
    HostedVm find(String name) {
        return vms.get(name);
    }

    /** Guest RAM of all VMs here, in bytes, whether it is filled yet or not. */
    long memoryBytes() {
        return vms.values().stream().mapToLong(HostedVm::memoryBytes).sum();
    }

    /** What may come to be needed for checkpoints that are on their way here, and by QEMUs yet to start, in bytes. */
    long stagingBytes() {
        return vms.values().stream().mapToLong(HostedVm::stagingBytes).sum();
    }

    Collection<HostedVm> all() {
        return List.copyOf(vms.values());
    }
}
