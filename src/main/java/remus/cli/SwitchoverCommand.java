package remus.cli;

import picocli.CommandLine;
import picocli.CommandLine.Parameters;
import remus.api.VmStatus;

@CommandLine.Command(
        name = "switchover",
        header = "Hand a VM over to its backup, and protect it from there.",
        description = {
            "",
            "A planned change of roles, to be asked of the host that runs the VM: after a last checkpoint the backup goes "
                    + "on with it, and this host becomes its backup. Nothing is lost; clients notice a short stall, "
                    + "which is shown. A backup that can't make it run leaves the VM here.",
            ""
        },
        footer = {"", "Example:", "  remus switchover shop"})
final class SwitchoverCommand extends Command.OfApi {
    @Parameters(paramLabel = "VM", description = "The VM's name.")
    private String vm = "";

    SwitchoverCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    void run() throws CommandException {
        VmStatus last = client().post(VmPath.verb(vm, "switchover"), VmStatus.class);
        print("VM %s %s".formatted(last.name(), last.reason()));
    }
}
