package remus.cli;

import picocli.CommandLine;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import remus.api.VmStatus;

@CommandLine.Command(
        name = "unprotect",
        header = "End the protection of a VM; it runs on.",
        description = {
            "",
            "The backup drops its copy, and no other one is looked for. To be asked of the host that runs the VM. A backup that does not answer may have "
                    + "taken over: then nothing changes and output stays held, unless --force says that it has not.",
            ""
        },
        footer = {"", "Example:", "  remus unprotect shop"})
final class UnprotectCommand extends Command.OfApi {
    @Parameters(paramLabel = "VM", description = "The VM's name.")
    private String vm = "";

    @Option(
            names = "--force",
            description = "Do not ask the backup: for when it surely does not run the VM but can't say so.")
    private boolean force;

    UnprotectCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    void run() throws CommandException {
        print(StatusText.sentence(
                client().post(VmPath.verb(vm, "unprotect") + (force ? "?force=true" : ""), VmStatus.class)));
    }
}
