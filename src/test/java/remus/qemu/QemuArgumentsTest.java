package remus.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import remus.base.ByteSize;

class QemuArgumentsTest {
    private static final QemuPaths PATHS = new QemuPaths(Path.of("/run/remus/shop"), Path.of("/var/log/remus/shop"));
    private static final QemuFeatures FEATURES =
            new QemuFeatures("7.2.22", Set.of("pc-q35-7.2"), Path.of("/usr/share/seabios/bios-256k.bin"));
    private static final VmDefinition.Nic NIC = new VmDefinition.Nic("52:54:00:12:34:56", "br0");

    private static VmDefinition vm(
            MachineType machine, int cpus, Accelerator accelerator, List<VmDefinition.Nic> nics) {
        return vm(machine, cpus, accelerator, nics, Path.of("/vm/console.log"));
    }

    private static VmDefinition vm(
            MachineType machine,
            int cpus,
            Accelerator accelerator,
            List<VmDefinition.Nic> nics,
            @Nullable Path console) {
        return new VmDefinition(
                "shop",
                machine,
                cpus,
                ByteSize.ofMebibytes(256),
                accelerator,
                accelerator == Accelerator.KVM ? "host" : "max",
                new VmDefinition.Boot(Path.of("/vm/vmlinuz"), Path.of("/vm/initrd.img"), "console=ttyS0,115200 quiet"),
                List.of(),
                nics,
                console);
    }

    @Test
    void q35IsTrimmedAndHasItsFirmwareInFlash() {
        assertEquals(
                """
                -nodefaults
                -no-user-config
                -name shop,debug-threads=on
                -uuid b16d4c85-1610-340f-a70c-4275245f18b2
                -msg timestamp=on
                -display none
                -machine pc-q35-7.2,memory-backend=ram,suppress-vmdesc=on,usb=off,sata=off,smbus=off,hpet=off,i8042=off,vmport=off
                -object memory-backend-file,id=ram,size=268435456,mem-path=/run/remus/shop/ram,share=on
                -m 268435456B
                -accel tcg,thread=single
                -cpu max
                -smp cpus=1
                -no-shutdown
                -action panic=none
                -chardev socket,id=qmp,path=/run/remus/shop/qmp,server=on,wait=off
                -mon chardev=qmp,mode=control
                -chardev socket,id=qmp-save,path=/run/remus/shop/qmp-save,server=on,wait=off
                -mon chardev=qmp-save,mode=control
                -drive if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/seabios/bios-256k.bin
                -kernel /vm/vmlinuz
                -initrd /vm/initrd.img
                -append console=ttyS0,115200 quiet
                -chardev file,id=console,path=/vm/console.log,append=on
                -serial chardev:console
                -netdev stream,id=nic0,server=on,addr.type=unix,addr.path=/run/remus/shop/nic0
                -device virtio-net-pci,id=dev-nic0,netdev=nic0,mac=52:54:00:12:34:56,addr=0x10,romfile=,disable-modern=on,disable-legacy=off
                -device pvpanic
                """,
                text(QemuArguments.forPrimary(vm(MachineType.Q35, 1, Accelerator.TCG, List.of(NIC)), PATHS, FEATURES)));
    }

    @Test
    void pcHasTheSameDevicesOnItsOwnChipset() {
        assertEquals(
                """
                -nodefaults
                -no-user-config
                -name shop,debug-threads=on
                -uuid b16d4c85-1610-340f-a70c-4275245f18b2
                -msg timestamp=on
                -display none
                -machine pc-i440fx-7.2,memory-backend=ram,suppress-vmdesc=on,usb=off,hpet=off,i8042=off,vmport=off
                -object memory-backend-file,id=ram,size=268435456,mem-path=/run/remus/shop/ram,share=on
                -m 268435456B
                -accel kvm
                -cpu host
                -smp cpus=2
                -no-shutdown
                -action panic=none
                -chardev socket,id=qmp,path=/run/remus/shop/qmp,server=on,wait=off
                -mon chardev=qmp,mode=control
                -chardev socket,id=qmp-save,path=/run/remus/shop/qmp-save,server=on,wait=off
                -mon chardev=qmp-save,mode=control
                -drive if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/seabios/bios-256k.bin
                -kernel /vm/vmlinuz
                -initrd /vm/initrd.img
                -append console=ttyS0,115200 quiet
                -netdev stream,id=nic0,server=on,addr.type=unix,addr.path=/run/remus/shop/nic0
                -device virtio-net-pci,id=dev-nic0,netdev=nic0,mac=52:54:00:12:34:56,addr=0x10,romfile=,disable-modern=on,disable-legacy=off
                -netdev stream,id=nic1,server=on,addr.type=unix,addr.path=/run/remus/shop/nic1
                -device virtio-net-pci,id=dev-nic1,netdev=nic1,mac=52:54:00:12:34:56,addr=0x11,romfile=,disable-modern=on,disable-legacy=off
                -device pvpanic
                """,
                text(QemuArguments.forPrimary(
                        vm(MachineType.PC, 2, Accelerator.KVM, List.of(NIC, NIC), null), PATHS, FEATURES)));
    }

    @Test
    void microvmHasVirtioOverMmioAndNoFlash() {
        assertEquals(
                """
                -nodefaults
                -no-user-config
                -name shop,debug-threads=on
                -uuid b16d4c85-1610-340f-a70c-4275245f18b2
                -msg timestamp=on
                -display none
                -machine microvm,memory-backend=ram,suppress-vmdesc=on,acpi=on,rtc=on,ioapic2=off
                -object memory-backend-file,id=ram,size=268435456,mem-path=/run/remus/shop/ram,share=on
                -m 268435456B
                -accel tcg,thread=multi
                -cpu max
                -smp cpus=2
                -no-shutdown
                -action panic=none
                -chardev socket,id=qmp,path=/run/remus/shop/qmp,server=on,wait=off
                -mon chardev=qmp,mode=control
                -chardev socket,id=qmp-save,path=/run/remus/shop/qmp-save,server=on,wait=off
                -mon chardev=qmp-save,mode=control
                -kernel /vm/vmlinuz
                -initrd /vm/initrd.img
                -append console=ttyS0,115200 quiet
                -netdev stream,id=nic0,server=on,addr.type=unix,addr.path=/run/remus/shop/nic0
                -device virtio-net-device,id=dev-nic0,netdev=nic0,mac=52:54:00:12:34:56,bus=virtio-mmio-bus.0
                -device pvpanic
                """,
                text(QemuArguments.forPrimary(
                        vm(MachineType.MICROVM, 2, Accelerator.TCG, List.of(NIC), null), PATHS, FEATURES)));
    }

    private static VmDefinition withDisks(MachineType machine, int disks, int nics) {
        return withDisks(machine, disks, nics, null);
    }

    private static VmDefinition withDisks(MachineType machine, int disks, int nics, VmDefinition.@Nullable Boot boot) {
        VmDefinition plain = vm(machine, 1, Accelerator.TCG, Collections.nCopies(nics, NIC));
        List<VmDefinition.Disk> images = new ArrayList<>();
        for (int i = 0; i < disks; i++) {
            images.add(new VmDefinition.Disk("data" + i, Path.of("/vm/data.raw")));
        }
        return new VmDefinition(
                plain.name(),
                machine,
                1,
                plain.memory(),
                plain.accelerator(),
                plain.cpu(),
                boot,
                images,
                plain.nics(),
                null);
    }

    @Test
    void disksComeFromOurServerAndReportTheirErrorsToTheGuest() {
        String arguments = text(QemuArguments.forPrimary(withDisks(MachineType.Q35, 2, 1), PATHS, FEATURES));
        assertTrue(arguments.contains("""
                -blockdev driver=nbd,node-name=disk1,server.type=unix,server.path=/run/remus/shop/disks,export=data1,reconnect-delay=60,discard=unmap
                -device virtio-blk-pci,id=dev-disk1,drive=disk1,serial=data1,rerror=report,werror=report,bootindex=1,addr=0x9,iothread=disks,disable-modern=on,disable-legacy=off
                -netdev stream,id=nic0,"""), arguments);
        assertFalse(arguments.contains("-kernel"), "it boots from its first disk");
    }

    @Test
    void aKernelIsBootedAndNotOneOfTheDisks() {
        VmDefinition.Boot kernel =
                vm(MachineType.Q35, 1, Accelerator.TCG, List.of()).boot();
        String arguments = text(QemuArguments.forPrimary(withDisks(MachineType.Q35, 2, 1, kernel), PATHS, FEATURES));
        assertTrue(arguments.contains("-kernel /vm/vmlinuz\n"), arguments);
        assertFalse(arguments.contains("bootindex"), arguments);
    }

    @Test
    void aMicrovmsDisksFollowItsInterfaces() {
        String arguments = text(QemuArguments.forPrimary(withDisks(MachineType.MICROVM, 2, 3), PATHS, FEATURES));
        assertFalse(arguments.contains("iothread"), "QEMU refuses it for this transport: " + arguments);
        assertTrue(arguments.contains("serial=data1,rerror=report,werror=report,bus=virtio-mmio-bus.4"), arguments);
        assertThrows(
                IllegalArgumentException.class,
                () -> QemuArguments.forPrimary(withDisks(MachineType.MICROVM, 6, 3), PATHS, FEATURES));
    }

    @Test
    void aPlainVmDiffersInNothingButWhereItsDisksAre() {
        VmDefinition vm = withDisks(MachineType.Q35, 2, 1);
        List<String> ours = QemuArguments.forPrimary(vm, PATHS, FEATURES);
        List<String> plain = QemuArguments.forPlainFiles(vm, PATHS, FEATURES);
        assertEquals(ours.size(), plain.size());
        for (int i = 0; i < ours.size(); i++) {
            boolean disk = i > 0 && ours.get(i - 1).equals("-blockdev");
            assertEquals(!disk, ours.get(i).equals(plain.get(i)), ours.get(i));
            if (disk) {
                assertTrue(ours.get(i).startsWith("driver=nbd,"), ours.get(i));
                assertTrue(plain.get(i).startsWith("driver=raw,"), plain.get(i));
                assertTrue(plain.get(i).contains(",cache.direct=off,cache.no-flush=off"), plain.get(i));
            }
        }
    }

    @Test
    void theStandbyIsTheSameMachineAndWaits() {
        for (MachineType machine : MachineType.values()) {
            VmDefinition vm = vm(machine, 1, Accelerator.TCG, List.of(NIC));
            List<String> expected = new ArrayList<>(QemuArguments.forPrimary(vm, PATHS, FEATURES));
            expected.addAll(List.of("-S", "-incoming", "defer"));
            assertEquals(expected, QemuArguments.forStandby(vm, PATHS, FEATURES));
        }
    }

    @Test
    void theUuidFollowsFromTheNameAlone() {
        assertEquals(QemuArguments.uuid("shop"), QemuArguments.uuid("shop"));
        assertNotEquals(QemuArguments.uuid("shop"), QemuArguments.uuid("shop2"));
    }

    @Test
    void aCommaInAPathDoesNotEndTheOption() {
        QemuPaths odd = new QemuPaths(Path.of("/run/a,share=off"), Path.of("/var/log/a"));
        List<String> arguments =
                QemuArguments.forPrimary(vm(MachineType.Q35, 1, Accelerator.TCG, List.of(NIC)), odd, FEATURES);
        assertTrue(arguments.contains(
                "memory-backend-file,id=ram,size=268435456,mem-path=/run/a,,share=off/ram,share=on"));
    }

    @Test
    void moreInterfacesThanTheMachinesHaveRoomForAreRefused() {
        VmDefinition vm =
                vm(MachineType.MICROVM, 1, Accelerator.TCG, Collections.nCopies(QemuArguments.MAX_NICS + 1, NIC));
        assertThrows(IllegalArgumentException.class, () -> QemuArguments.forPrimary(vm, PATHS, FEATURES));
    }

    @Test
    void aRuntimeDirectoryTooLongForItsSocketsIsRefused() {
        Path fits = Path.of("/" + "r".repeat(97));
        assertEquals(107, new QemuPaths(fits, fits).incomingSocket().toString().length());
        Path tooLong = Path.of("/" + "r".repeat(98));
        String message = assertThrows(IllegalArgumentException.class, () -> new QemuPaths(tooLong, tooLong))
                .getMessage();
        assertTrue(String.valueOf(message).contains("limit 107"), message);
    }

    private static String text(List<String> arguments) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < arguments.size(); i++) {
            boolean value = i + 1 < arguments.size() && !arguments.get(i + 1).startsWith("-");
            text.append(arguments.get(i)).append(value ? " " : "\n");
        }
        return text.toString();
    }
}
