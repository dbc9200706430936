package remus.cli;

import picocli.CommandLine;
import picocli.CommandLine.Parameters;
import remus.api.VmStatus;

@CommandLine.Command(
        name = "unprotect",
        header = "End the protection of a VM; it runs on.",
        description = {"", "The backup drops its copy. To be asked of the host that runs the VM.", ""},
        footer = {"", "Example:", "  remus unprotect shop"})
final class UnprotectCommand extends Command.OfApi {
    @Parameters(paramLabel = "VM", description = "The VM's name.")
    private String vm = "";

    UnprotectCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    void run() throws CommandException {
        print(StatusText.sentence(client().post(VmPath.verb(vm, "unprotect"), VmStatus.class)));
    }
}
