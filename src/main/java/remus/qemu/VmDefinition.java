package remus.qemu;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.base.ByteSize;

/**
 * What a VM consists of, checked and complete: no default is open and all paths are absolute. The same on both hosts
 * but for the paths.
 *
 * @param name {@code [a-z0-9-]{1,40}}
 * @param cpus 1 to 64
 * @param memory guest RAM, a multiple of 2 MiB
 * @param accelerator decided: what {@code auto} stood for on the host that started the VM
 * @param cpu QEMU's CPU model
 * @param boot direct kernel boot; null means from disk
 * @param console file that receives the guest's serial console, or null
 */
public record VmDefinition(
        String name,
        MachineType machine,
        int cpus,
        ByteSize memory,
        Accelerator accelerator,
        String cpu,
        @Nullable Boot boot,
        List<Disk> disks,
        List<Nic> nics,
        @Nullable Path console) {

    public VmDefinition {
        disks = List.copyOf(disks);
        nics = List.copyOf(nics);
    }

    /**
     * Direct boot of a Linux kernel.
     *
     * @param cmdline the kernel's command line, possibly empty
     */
    public record Boot(Path kernel, @Nullable Path initrd, String cmdline) {}

    /** A raw disk image. */
    public record Disk(String name, Path image) {}

    /**
     * A network interface.
     *
     * @param mac six hexadecimal bytes with colons, unicast
     * @param bridge the bridge that the TAP joins on each host
     */
    public record Nic(String mac, String bridge) {}
}
