package remus.qemu;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/**
 * Debian's cloud kernel with an initramfs of busybox, which drives the virtio network device and prints
 * {@code count N} some hundred times a second. Made once from Debian packages and kept in the user's cache directory.
 */
final class LinuxGuest {
    private static final Path CACHE = Path.of(System.getProperty("user.home"), ".cache", "remus-test");

    private static final String MAKE = """
            set -eu
            cache=$1; mkdir -p "$cache"; cd "$cache"
            [ -s initrd.gz ] && [ -s vmlinuz ] && exit 0
            rm -rf make; mkdir make; cd make
            package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \\(linux-image-[0-9][^ ]*\\)$/\\1/p')
            apt-get download "$package"
            dpkg -x ./*.deb kernel
            mkdir -p root/bin root/modules root/proc root/sys root/dev
            cp "$(command -v busybox)" root/bin/busybox
            for module in virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_mmio failover \\
                    net_failover virtio_net; do
                cp "$(find kernel -name $module.ko)" root/modules/
            done
            cat >root/init <<'END'
            #!/bin/busybox sh
            /bin/busybox --install -s /bin
            mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
            for module in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_mmio failover \\
                    net_failover virtio_net; do
                insmod /modules/$module.ko
            done
            ip link set eth0 up && echo "network up"
            i=0
            while true; do i=$((i+1)); echo "count $i"; usleep 2000; done
            END
            chmod +x root/init
            (cd root && find . | cpio --quiet -o -H newc | gzip -1) >initrd.gz
            cp kernel/boot/vmlinuz-* vmlinuz
            mv vmlinuz initrd.gz ..
            cd ..; rm -rf make
            """;

    private LinuxGuest() {}

    static VmDefinition.Boot boot(MachineType machine) throws Exception {
        Path log = Files.createTempFile("remus-guest", ".log");
        int exit = new ProcessBuilder("sh", "-c", MAKE, "make-guest", CACHE.toString())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start()
                .waitFor();
        String said = Files.readString(log);
        Files.delete(log);
        Assumptions.assumeTrue(exit == 0, () -> "no Debian kernel can be had here: " + said);
        return new VmDefinition.Boot(
                CACHE.resolve("vmlinuz"), CACHE.resolve("initrd.gz"), "console=ttyS0 quiet panic=-1" + clock(machine));
    }

    /**
     * Under software emulation a microvm has nothing that Linux, in ACPI mode, could measure its TSC against, and it
     * hangs at boot unless told the frequency, which is the host's.
     */
    private static String clock(MachineType machine) throws Exception {
        if (machine != MachineType.MICROVM) {
            return "";
        }
        double megahertz = Files.readAllLines(Path.of("/proc/cpuinfo")).stream()
                .filter(line -> line.startsWith("cpu MHz"))
                .findFirst()
                .map(line -> Double.parseDouble(line.substring(line.indexOf(':') + 1)))
                .orElse(2000.0);
        return " tsc_early_khz=" + Math.round(megahertz * 1000);
    }

    /** The last number printed completely, 0 when none was. */
    static int lastCount(Path console) throws Exception {
        if (!Files.exists(console)) {
            return 0;
        }
        String text = Files.readString(console);
        return text.substring(0, text.lastIndexOf('\n') + 1)
                .lines()
                .map(String::strip)
                .filter(line -> line.matches("count \\d+"))
                .reduce((first, second) -> second)
                .map(line -> Integer.parseInt(line.substring(6)))
                .orElse(0);
    }
}
