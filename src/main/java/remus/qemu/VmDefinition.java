package remus.qemu;

import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
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

    /**
     * A raw disk image.
     *
     * @param name {@code [a-z0-9-]{1,20}}: what the guest sees as the disk's serial number, and the name of its export
     */
    public record Disk(String name, Path image) {
        /** What QEMU takes as a serial number and a guest shows under {@code /dev/disk/by-id}. */
        public static final Pattern NAME = Pattern.compile("[a-z0-9-]{1,20}");
    }

    /**
     * A network interface.
     *
     * @param mac six hexadecimal bytes with colons, unicast
     * @param bridge the bridge that the TAP joins on each host
     */
    public record Nic(String mac, String bridge) {
        /** An address as QEMU takes it, in lower case. */
        public static final Pattern MAC = Pattern.compile("[0-9a-f]{2}(:[0-9a-f]{2}){5}");

        /** Name of a network device (Linux's IFNAMSIZ), without what would mean something in QEMU's command line. */
        public static final Pattern BRIDGE = Pattern.compile("[A-Za-z0-9_.-]{1,15}");
    }
}
