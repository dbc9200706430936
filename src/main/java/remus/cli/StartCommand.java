package remus.cli;

import java.nio.file.Path;
import picocli.CommandLine;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import remus.api.StartRequest;
import remus.api.VmStatus;

@CommandLine.Command(
        name = "start",
        header = "Boot a VM from its definition.",
        description = {
            "",
            "The VM runs unprotected, unless its definition names a backup: then protection follows by itself.",
            ""
        },
        footer = {
            "",
            "Example: shop.yaml",
            "  name: shop",
            "  memory: 256MiB",
            "  boot: {kernel: vmlinuz, initrd: initrd.img, cmdline: \"console=ttyS0\"}",
            "  disks: [{name: root, image: root.raw}]",
            "  nics: [{mac: \"52:54:00:12:34:56\", bridge: br0}]",
            "Without boot it boots from its first disk.",
            "",
            "  remus start shop.yaml"
        })
final class StartCommand extends Command.OfApi {
    @Parameters(paramLabel = "VM.yaml", description = "The definition; its paths are relative to it.")
    private Path file = Path.of("");

    @Option(
            names = "--force-stale",
            description = "Start with the disk images that are here, though another host may have newer ones: what was "
                    + "written there is lost.")
    private boolean forceStale;

    StartCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    void run() throws CommandException {
        String definition = TextFile.read(file, StartRequest.MAX_DEFINITION_CHARS, "VM definition");
        Path directory = file.toAbsolutePath().normalize().getParent();
        StartRequest request =
                new StartRequest(definition, String.valueOf(directory), forceStale ? Boolean.TRUE : null);
        VmStatus vm = client().post("/api/v1/vms", request, VmStatus.class);
        print(StatusText.sentence(vm));
    }
}
