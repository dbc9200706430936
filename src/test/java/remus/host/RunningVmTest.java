package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import remus.api.CompressMode;
import remus.api.StandbyMode;
import remus.api.WhenAlone;
import remus.availability.HostId;
import remus.availability.OwnershipRecord;
import remus.availability.RequestId;
import remus.base.ByteSize;
import remus.base.HostAddress;
import remus.base.Term;
import remus.qemu.Accelerator;
import remus.qemu.MachineType;
import remus.qemu.VmDefinition;

/** What a daemon leaves for the next one is read as it was written, or not at all. */
class RunningVmTest {
    private static final HostId SELF = new HostId("alpha");
    private static final OwnershipRecord RECORD = OwnershipRecord.alone(new Term(7), SELF, new RequestId("alpha.x.3"));
    private static final RunningVm.Session SESSION = new RunningVm.Session(
            8,
            "beta",
            new HostAddress("192.0.2.2", 7420),
            Duration.ofMillis(25),
            Duration.ofMillis(300),
            WhenAlone.CONTINUE);

    private static RunningVm vm() {
        VmDefinition definition = new VmDefinition(
                "shop",
                MachineType.Q35,
                2,
                new ByteSize(256L << 20),
                Accelerator.TCG,
                "max",
                new VmDefinition.Boot(Path.of("/vms/vm linuz"), null, "console=ttyS0"),
                List.of(new VmDefinition.Disk("root", Path.of("/vms/root.raw"))),
                List.of(new VmDefinition.Nic("52:54:00:12:34:56", "br0")),
                Path.of("/vms/console.log"));
        ProtectionSettings protection = new ProtectionSettings(
                List.of("beta"),
                Duration.ofMillis(25),
                20,
                Duration.ofMillis(300),
                WhenAlone.HOLD,
                true,
                0,
                new ByteSize(0),
                StandbyMode.COLD,
                CompressMode.AUTO);
        return RunningVm.alone(definition, RECORD, protection);
    }

    @Test
    void whatIsWrittenIsRead() {
        RunningVm alone = vm();
        assertEquals(alone, RunningVm.decode(alone.encode()));
        RunningVm guarded = alone.protectedBy(SESSION);
        assertEquals(guarded, RunningVm.decode(guarded.encode()));
        assertEquals(RECORD, guarded.record(SELF));
        RunningVm still = guarded.paused(true).wished(ProtectionSettings.DEFAULTS.withLast("gamma"), true);
        assertEquals(still, RunningVm.decode(still.encode()));
        RunningVm moving = still.withholding();
        assertEquals(moving, RunningVm.decode(moving.encode()));
        assertTrue(
                moving.paused(false).wished(ProtectionSettings.DEFAULTS, false).withheld());
        assertFalse(moving.ownedBy(RECORD, false).withheld());
        assertFalse(moving.protectedBy(SESSION).withheld());
    }

    /** A record, or the end of a session, says nothing about what people want of the VM. */
    @Test
    void whatIsWantedOfItOutlivesItsSessions() {
        RunningVm wanted = vm().paused(true).wished(ProtectionSettings.DEFAULTS.withLast("gamma"), true);
        RunningVm later = wanted.protectedBy(SESSION).ownedBy(RECORD, true);
        assertEquals(wanted.protection(), later.protection());
        assertTrue(later.wanted());
        assertTrue(later.paused());
        assertFalse(vm().wished(vm().protection(), false).protectedBy(SESSION).wanted());
    }

    @Test
    void noTermIsUsedTwiceAfterARestart() {
        assertEquals(new Term(7), vm().lastTerm());
        assertEquals(new Term(8), vm().protectedBy(SESSION).lastTerm());
        assertEquals(new Term(8), vm().ownedBy(RECORD, true).lastTerm());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{", "[]", "{}", "{\"version\":1}", "null"})
    void whatIsNotCompleteIsRefused(String text) {
        assertThrows(IllegalArgumentException.class, () -> RunningVm.decode(text));
    }

    @Test
    void aHalfWrittenNoteIsRefused() {
        String text = vm().encode();
        assertThrows(IllegalArgumentException.class, () -> RunningVm.decode(text.substring(0, text.length() / 2)));
        assertThrows(IllegalArgumentException.class, () -> RunningVm.decode(text + "}"));
    }

    @Test
    void aNoteOfAnotherVersionIsRefusedByItsNumber() {
        String text = vm().encode().replace("\"version\":1", "\"version\":2");
        String said = String.valueOf(assertThrows(IllegalArgumentException.class, () -> RunningVm.decode(text))
                .getMessage());
        assertTrue(said.contains("version is 2"), said);
    }
}
