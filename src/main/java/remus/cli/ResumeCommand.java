package remus.cli;

import picocli.CommandLine;
import picocli.CommandLine.Parameters;
import remus.api.VmStatus;

@CommandLine.Command(
        name = "resume",
        header = "Let a VM go on that was paused.",
        description = {"", "To be asked of the host that has the VM, which after a failover is its former backup.", ""},
        footer = {"", "Example:", "  remus resume shop"})
final class ResumeCommand extends Command.OfApi {
    @Parameters(paramLabel = "VM", description = "The VM's name.")
    private String vm = "";

    ResumeCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    void run() throws CommandException {
        print(StatusText.sentence(client().post(VmPath.verb(vm, "resume"), VmStatus.class)));
    }
}
