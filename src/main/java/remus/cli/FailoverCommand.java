package remus.cli;

import picocli.CommandLine;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import remus.api.FailoverRequest;
import remus.api.VmStatus;

@CommandLine.Command(
        name = "failover",
        header = "Activate a VM on its backup now.",
        description = {
            "",
            "To be asked of the backup. It goes on from the last whole checkpoint; a primary that can be reached is "
                    + "fenced first.",
            ""
        },
        footer = {"", "Example:", "  remus failover shop --api 192.0.2.7:7421"})
final class FailoverCommand extends Command.OfApi {
    @Parameters(paramLabel = "VM", description = "The VM's name.")
    private String vm = "";

    @Option(
            names = "--force",
            description = "Do not try to fence the primary first: for when it surely is dead but can't say so.")
    private boolean force;

    FailoverCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    void run() throws CommandException {
        FailoverRequest request = new FailoverRequest(force);
        print(StatusText.sentence(client().post(VmPath.verb(vm, "failover"), request, VmStatus.class)));
    }
}
