package remus.api;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The document of {@code status}.
 *
 * @param host the host's name
 * @param vms all VMs that this host runs, backs up or has run, by name
 * @param arbiter who decides which host owns a VM
 * @param memory null when it can't be read
 * @param draining null unless the host gives its VMs away and takes none
 */
public record HostStatus(
        String host,
        List<VmStatus> vms,
        ArbiterView arbiter,
        @Nullable HostMemory memory,
        @Nullable Draining draining) {
    public HostStatus {
        vms = List.copyOf(vms);
    }
}
