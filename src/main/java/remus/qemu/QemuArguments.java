package remus.qemu;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.UUID;
import remus.checkpoint.DiskForwarding;

/**
 * QEMU's command line for a VM definition. The primary and its standby get the same machine from it, device by device
 * and slot by slot, and differ in paths and in that the standby waits for its state ({@code -S -incoming defer}).
 *
 * <p>What decides the choices: each kilobyte of device state is saved at every checkpoint, so devices that guests can do
 * without are left out and virtio devices use the small legacy interface; all writable guest RAM is the one shared file.
 */
public final class QemuArguments {
    /** Most network interfaces of a VM. */
    public static final int MAX_NICS = 8;

    /** Most disks of a VM. */
    public static final int MAX_DISKS = DiskForwarding.MAX_DISKS;

    /** Transports that microvm has without a second I/O APIC: for its interfaces and disks together. */
    public static final int MAX_MICROVM_DEVICES = 8;

    /** How long the guest's requests wait for a daemon that comes back; then it gets I/O errors. In seconds. */
    private static final int DISK_RECONNECT_SECONDS = 60;

    private static final String DISK_THREAD = "disks";

    /** PCI slot of the first disk. */
    private static final int FIRST_DISK_SLOT = 8;

    /**
     * PCI slot of the first network interface. Slots are fixed so that a guest keeps its interface names whatever else
     * a definition gains.
     */
    private static final int FIRST_NIC_SLOT = 16;

    private final VmDefinition vm;
    private final QemuPaths paths;
    private final QemuFeatures features;
    private final DiskSource diskSource;
    private final List<String> arguments = new ArrayList<>();

    /** Where QEMU finds the disks. */
    private enum DiskSource {
        /** At our NBD server. */
        EXPORTS,
        /** In the image files themselves. */
        FILES
    }

    private QemuArguments(VmDefinition vm, QemuPaths paths, QemuFeatures features, DiskSource diskSource) {
        this.vm = vm;
        this.paths = paths;
        this.features = features;
        this.diskSource = diskSource;
    }

    /** Arguments of a QEMU that boots the guest at once. */
    public static List<String> forPrimary(VmDefinition vm, QemuPaths paths, QemuFeatures features) {
        return new QemuArguments(vm, paths, features, DiskSource.EXPORTS).common();
    }

    /**
     * Arguments of a QEMU that boots the same machine, and writes the disks' images itself, as if there were no Remus:
     * what ours is measured against. The images are opened as {@code -drive format=raw,cache=writeback} does: a write is
     * answered when it is in the host's page cache, a flush when the image is synchronized.
     */
    public static List<String> forPlainFiles(VmDefinition vm, QemuPaths paths, QemuFeatures features) {
        return new QemuArguments(vm, paths, features, DiskSource.FILES).common();
    }

    /** Arguments of a QEMU that waits for {@code migrate-incoming}, and then for {@code cont}. */
    public static List<String> forStandby(VmDefinition vm, QemuPaths paths, QemuFeatures features) {
        List<String> arguments = new ArrayList<>(forPrimary(vm, paths, features));
        Collections.addAll(arguments, "-S", "-incoming", "defer");
        return List.copyOf(arguments);
    }

    /** The UUID that the guest sees: the same on each host and at each start, made from the VM's name. */
    static UUID uuid(String vmName) {
        return UUID.nameUUIDFromBytes(("remus:" + vmName).getBytes(StandardCharsets.UTF_8));
    }

    private List<String> common() {
        requireAtMost(MAX_NICS, vm.nics().size(), "network interfaces");
        requireAtMost(MAX_DISKS, vm.disks().size(), "disks");
        if (vm.machine() == MachineType.MICROVM) {
            requireAtMost(
                    MAX_MICROVM_DEVICES, vm.nics().size() + vm.disks().size(), "interfaces and disks on a microvm");
        }
        // No -sandbox: its filter would kill QEMU when memory tracking borrows one of its threads for a userfaultfd.
        add("-nodefaults");
        add("-no-user-config");
        add("-name", escaped(vm.name()) + ",debug-threads=on");
        add("-uuid", uuid(vm.name()).toString());
        add("-msg", "timestamp=on");
        add("-display", "none");
        machine();
        processor();
        lifecycle();
        control();
        firmwareAndBoot();
        console();
        if (!vm.disks().isEmpty() && ownDiskThread()) {
            add("-object", "iothread,id=" + DISK_THREAD);
        }
        for (int index = 0; index < vm.disks().size(); index++) {
            disk(index, vm.disks().get(index));
        }
        for (int index = 0; index < vm.nics().size(); index++) {
            nic(index, vm.nics().get(index));
        }
        // The guest's kernel then reports its panic as an event.
        switch (vm.machine()) {
            case Q35, PC, MICROVM -> add("-device", "pvpanic");
            case VIRT -> {} // it is on the ISA bus, which this machine has not
        }
        return List.copyOf(arguments);
    }

    private void requireAtMost(int limit, int count, String what) {
        if (count > limit) {
            throw new IllegalArgumentException(
                    "VM %s has %d %s, the limit is %d".formatted(vm.name(), count, what, limit));
        }
    }

    private void machine() {
        String trimmed = switch (vm.machine()) {
            case Q35 -> "usb=off,sata=off,smbus=off,hpet=off,i8042=off,vmport=off";
            case PC -> "usb=off,hpet=off,i8042=off,vmport=off";
            // The first line of the second I/O APIC, which the first device would get, never interrupts: QEMU moves
            // line 0 of either one to line 2 (hw/intc/ioapic.c), as is right for the first one only.
            case MICROVM -> "acpi=on,rtc=on,ioapic2=off";
            case VIRT -> "gic-version=3,its=off";
        };
        // Without suppress-vmdesc the standby looks for a description that our stream does not have, and complains.
        add("-machine", vm.machine().versionedName() + ",memory-backend=ram,suppress-vmdesc=on," + trimmed);
        add(
                "-object",
                "memory-backend-file,id=ram,size=" + vm.memory().bytes() + ",mem-path=" + escaped(paths.ramFile())
                        + ",share=on");
        add("-m", vm.memory().bytes() + "B");
    }

    private void processor() {
        switch (vm.accelerator()) {
            case KVM -> add("-accel", "kvm");
            case TCG -> add("-accel", vm.cpus() == 1 ? "tcg,thread=single" : "tcg,thread=multi");
        }
        add("-cpu", vm.cpu());
        add("-smp", "cpus=" + vm.cpus());
    }

    private void lifecycle() {
        // A guest that powers off leaves its QEMU paused and asks us what becomes of it; one that panics goes on as on
        // real hardware, and is reported.
        add("-no-shutdown");
        add("-action", "panic=none");
    }

    private void control() {
        monitor("qmp", paths.qmpSocket());
        monitor("qmp-save", paths.saverSocket());
    }

    private void monitor(String id, Path socket) {
        add("-chardev", "socket,id=" + id + ",path=" + escaped(socket) + ",server=on,wait=off");
        add("-mon", "chardev=" + id + ",mode=control");
    }

    private void firmwareAndBoot() {
        switch (vm.machine()) {
            // As flash instead of a ROM: QEMU leaves the ROMs of a machine that waits for its state empty, expecting
            // them to come with its memory. Without this a guest hangs when it reboots after a failover.
            case Q35, PC ->
                add("-drive", "if=pflash,format=raw,unit=0,readonly=on,file=" + escaped(features.flashFirmware()));
            // The one brings its own SeaBIOS, the other gets its kernel from QEMU itself.
            case MICROVM, VIRT -> {}
        }
        VmDefinition.Boot boot = vm.boot();
        if (boot != null) {
            add("-kernel", boot.kernel().toString());
            Path initrd = boot.initrd();
            if (initrd != null) {
                add("-initrd", initrd.toString());
            }
            if (!boot.cmdline().isEmpty()) {
                add("-append", boot.cmdline());
            }
        }
    }

    private void console() {
        Path console = vm.console();
        if (console != null) {
            add("-chardev", "file,id=console,path=" + escaped(console) + ",append=on");
            add("-serial", "chardev:console");
        }
    }

    /**
     * Whether the disks' requests are done by a thread of their own, beside the one that runs timers, network and QMP. On
     * virtio-mmio under software emulation they can't: it has no event descriptors then, and QEMU refuses.
     */
    private boolean ownDiskThread() {
        return switch (vm.machine()) {
            case Q35, PC -> true;
            case MICROVM, VIRT -> false;
        };
    }

    /**
     * Errors go to the guest, as on real hardware: QEMU's default is to stop the guest when the disk is full. The
     * firmware tries the disks in their order, unless a kernel is given: QEMU has that be the first to boot from, and
     * refuses another first.
     */
    private void disk(int index, VmDefinition.Disk disk) {
        String opened = switch (diskSource) {
            case EXPORTS ->
                "driver=nbd,node-name=disk" + index + ",server.type=unix,server.path=" + escaped(paths.diskSocket())
                        + ",export=" + disk.name() + ",reconnect-delay=" + DISK_RECONNECT_SECONDS;
            case FILES ->
                "driver=raw,node-name=disk" + index + ",file.driver=file,file.filename=" + escaped(disk.image())
                        + ",file.discard=unmap,file.aio=threads,cache.direct=off,cache.no-flush=off";
        };
        add("-blockdev", opened + ",discard=unmap");
        String common = ",id=dev-disk" + index + ",drive=disk" + index + ",serial=" + disk.name()
                + ",rerror=report,werror=report";
        switch (vm.machine()) {
            case Q35, PC ->
                add(
                        "-device",
                        "virtio-blk-pci" + common + (vm.boot() == null ? ",bootindex=" + index : "") + ",addr=0x"
                                + Integer.toHexString(FIRST_DISK_SLOT + index)
                                + ",iothread=" + DISK_THREAD + ",disable-modern=on,disable-legacy=off");
            case MICROVM, VIRT ->
                add(
                        "-device",
                        "virtio-blk-device" + common + ",bus=virtio-mmio-bus."
                                + (vm.nics().size() + index));
        }
    }

    private void nic(int index, VmDefinition.Nic nic) {
        add(
                "-netdev",
                "stream,id=nic" + index + ",server=on,addr.type=unix,addr.path=" + escaped(paths.nicSocket(index)));
        String common = ",id=dev-nic" + index + ",netdev=nic" + index + ",mac=" + nic.mac();
        switch (vm.machine()) {
            // Without option ROM: nobody boots from this network, and the ROM would be state of its own.
            case Q35, PC ->
                add(
                        "-device",
                        "virtio-net-pci" + common + ",addr=0x" + Integer.toHexString(FIRST_NIC_SLOT + index)
                                + ",romfile=,disable-modern=on,disable-legacy=off");
            case MICROVM, VIRT -> add("-device", "virtio-net-device" + common + ",bus=virtio-mmio-bus." + index);
        }
    }

    private void add(String... more) {
        Collections.addAll(arguments, more);
    }

    /** A value inside a QEMU option, where a comma ends it unless doubled. */
    private static String escaped(Object value) {
        return value.toString().replace(",", ",,");
    }
}
