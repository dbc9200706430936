package remus.host;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import remus.api.CompressMode;
import remus.api.StandbyMode;
import remus.api.WhenAlone;
import remus.base.ByteSize;
import remus.base.HostAddress;
import remus.disk.ImageWitness;
import remus.qemu.Accelerator;
import remus.qemu.MachineType;
import remus.qemu.VmDefinition;
import remus.wire.Hello;

class SharedDefinitionTest {
    private static final SharedDefinition SHOP = shop(StandbyMode.COLD);

    static SharedDefinition shop(StandbyMode standby) {
        return new SharedDefinition(
                "shop",
                MachineType.Q35,
                1,
                256L << 20,
                Accelerator.TCG,
                "max",
                "console=ttyS0",
                List.of("root", "data"),
                List.of(new VmDefinition.Nic("52:54:00:12:34:56", "br0")),
                true,
                new SharedDefinition.Protection(
                        List.of("beta", "192.0.2.3:7420"),
                        WhenAlone.CONTINUE,
                        true,
                        20,
                        1 << 20,
                        standby,
                        CompressMode.NEVER,
                        null));
    }

    @Test
    void whatIsSentIsWhatArrives() {
        assertArrayEquals(SHOP.encode(), SharedDefinition.decode(SHOP.encode()).encode());
    }

    private static SharedDefinition moving(String path) {
        ImageWitness.Token witness = new ImageWitness.Token("0".repeat(16), "1".repeat(32));
        return new SharedDefinition(
                SHOP.name(),
                SHOP.machine(),
                SHOP.cpus(),
                SHOP.memoryBytes(),
                SHOP.accelerator(),
                SHOP.cpu(),
                SHOP.bootCmdline(),
                SHOP.disks(),
                SHOP.nics(),
                SHOP.hasConsole(),
                new SharedDefinition.Protection(
                        List.of(),
                        WhenAlone.HOLD,
                        true,
                        20,
                        0,
                        StandbyMode.WARM,
                        CompressMode.ALWAYS,
                        new SharedDefinition.Moving(
                                false,
                                25_000_000,
                                300_000_000,
                                0,
                                List.of(new SharedDefinition.SharedImage("root", path, witness)))));
    }

    @Test
    void whereSharedImagesAreIsSaidWithThem() {
        SharedDefinition arrived =
                SharedDefinition.decode(moving("/srv/root.raw").encode());
        assertTrue(arrived.sharesDisks());
        assertEquals(moving("/srv/root.raw").sharedImage("root"), arrived.sharedImage("root"));
        assertNull(arrived.sharedImage("data"));
        assertFalse(SHOP.sharesDisks());
        assertNull(SHOP.sharedImage("root"));
    }

    @Test
    void aSharedImageWhosePathMeansSomethingElseOnEachHostIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> moving("root.raw"));
        byte[] hostile = new String(moving("/srv/root.raw").encode(), StandardCharsets.UTF_8)
                .replace("0".repeat(16), "/../../../etc/pw")
                .getBytes(StandardCharsets.UTF_8);
        assertThrows(RuntimeException.class, () -> SharedDefinition.decode(hostile));
    }

    @Test
    void whoTakesAVmOverProtectsItAsBeforeAndWhoGetsItHandedOverOntoItsFormerPrimaryFirst() {
        HostAddress primary = new HostAddress("192.0.2.1", 7420);
        Hello hello = new Hello(
                Hello.Mode.NEW,
                SHOP.name(),
                "alpha",
                primary,
                SHOP.machine().versionedName(),
                "7.2.22",
                SHOP.memoryBytes(),
                4096,
                Duration.ofMillis(40),
                Duration.ofMillis(500),
                7,
                SHOP.encode(),
                List.of(),
                List.of());
        SharedDefinition arrived = SharedDefinition.decode(hello.definition());
        assertEquals(
                new ProtectionSettings(
                        List.of("beta", "192.0.2.3:7420", "192.0.2.1:7420"),
                        Duration.ofMillis(40),
                        20,
                        Duration.ofMillis(500),
                        WhenAlone.CONTINUE,
                        true,
                        7,
                        ByteSize.ofMebibytes(1),
                        StandbyMode.COLD,
                        CompressMode.NEVER),
                arrived.protectionAfter(hello, primary, false));
        assertEquals(
                new ProtectionSettings(
                        List.of("192.0.2.1:7420", "beta", "192.0.2.3:7420"),
                        Duration.ofMillis(40),
                        20,
                        Duration.ofMillis(500),
                        WhenAlone.CONTINUE,
                        true,
                        7,
                        ByteSize.ofMebibytes(1),
                        StandbyMode.COLD,
                        CompressMode.NEVER),
                arrived.protectionAfter(hello, primary, true));
    }

    @Test
    void aMacThatWouldBringOptionsOfItsOwnIntoTheCommandLineIsRefused() {
        String hostile = new String(SHOP.encode(), StandardCharsets.UTF_8).replace("34:56", "34:56,romfile=/etc/x");
        assertThrows(RuntimeException.class, () -> SharedDefinition.decode(hostile.getBytes(StandardCharsets.UTF_8)));
        String disk = new String(SHOP.encode(), StandardCharsets.UTF_8).replace("\"data\"", "\"data,readonly=on\"");
        assertThrows(RuntimeException.class, () -> SharedDefinition.decode(disk.getBytes(StandardCharsets.UTF_8)));
    }

    /** Its backup would find out only when it takes the VM over. */
    @Test
    void aDefinitionThatLacksAnythingIsRefusedWhenItIsOffered() {
        String whole = new String(SHOP.encode(), StandardCharsets.UTF_8);
        for (String missing : List.of(
                whole.replaceAll("\"protection\":\\{[^}]*}", "\"protection\":null"),
                whole.replaceAll("\"backups\":\\[[^]]*]", "\"backups\":null"),
                whole.replaceAll("\"whenAlone\":\"[^\"]*\"", "\"whenAlone\":null"),
                whole.replaceAll("\"cpu\":\"max\"", "\"cpu\":null"))) {
            assertFalse(missing.equals(whole), whole);
            assertThrows(
                    RuntimeException.class,
                    () -> SharedDefinition.decode(missing.getBytes(StandardCharsets.UTF_8)),
                    missing);
        }
    }
}
