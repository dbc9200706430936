package remus.cli;

import picocli.CommandLine;
import picocli.CommandLine.Parameters;
import remus.api.VmStatus;

@CommandLine.Command(
        name = "pause",
        header = "Have a VM stand still until it is resumed.",
        description = {
            "",
            "The guest does not run, and answers nobody; memory and disks stay as they are. A protected VM stays protected, "
                    + "and stays paused where its backup takes it over. To be asked of the host that runs the VM.",
            ""
        },
        footer = {"", "Example:", "  remus pause shop"})
final class PauseCommand extends Command.OfApi {
    @Parameters(paramLabel = "VM", description = "The VM's name.")
    private String vm = "";

    PauseCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    void run() throws CommandException {
        print(StatusText.sentence(client().post(VmPath.verb(vm, "pause"), VmStatus.class)));
    }
}
