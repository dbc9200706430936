package remus.cli;

import picocli.CommandLine;
import picocli.CommandLine.Parameters;
import remus.api.VmStatus;

@CommandLine.Command(
        name = "stop",
        header = "End a VM, and its protection with it.",
        description = {
            "",
            "The VM is switched off, not shut down: shut the guest down first if it should end in order.",
            ""
        },
        footer = {"", "Example:", "  remus stop shop"})
final class StopCommand extends Command.OfApi {
    @Parameters(paramLabel = "VM", description = "The VM's name.")
    private String vm = "";

    StopCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    void run() throws CommandException {
        print(StatusText.sentence(client().post(VmPath.verb(vm, "stop"), VmStatus.class)));
    }
}
