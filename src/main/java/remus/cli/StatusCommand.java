package remus.cli;

import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import remus.api.HostStatus;
import remus.api.Json;
import remus.api.VmStatus;

@CommandLine.Command(
        name = "status",
        header = "Show a host's VMs, or one of them in detail.",
        description = {
            "",
            "PAUSE is how long the VM stood still for a checkpoint (median/99th percentile), DIRTY the pages that "
                    + "it carried, COMMIT the time until the backup had it, HELD the output that waits for that.",
            ""
        },
        footer = {"", "Example:", "  remus status", "  remus status shop --json"})
final class StatusCommand extends Command.OfApi {
    @Parameters(arity = "0..1", paramLabel = "VM", description = "Show this VM in detail.")
    private @Nullable String vm;

    @Option(names = "--json", description = "Print one JSON document.")
    private boolean json;

    StatusCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    void run() throws CommandException {
        HostStatus host = client().get("/api/v1/status", HostStatus.class);
        if (vm == null) {
            print(json ? Json.write(host) : StatusText.table(host));
        } else {
            VmStatus status = find(host, vm);
            print(
                    json
                            ? Json.write(new HostStatus(
                                    host.host(), List.of(status), host.arbiter(), host.memory(), host.draining()))
                            : StatusText.details(host, status));
        }
    }

    private VmStatus find(HostStatus host, String name) throws CommandException {
        for (VmStatus status : host.vms()) {
            if (status.name().equals(name)) {
                return status;
            }
        }
        // The host itself says best that it does not have it.
        return client().get(VmPath.of(name), VmStatus.class);
    }
}
