package remus.api;

import java.util.List;

/**
 * The document of {@code status}.
 *
 * @param host the host's name
 * @param vms all VMs that this host runs, backs up or has run, by name
 */
public record HostStatus(String host, List<VmStatus> vms) {
    public HostStatus {
        vms = List.copyOf(vms);
    }
}
