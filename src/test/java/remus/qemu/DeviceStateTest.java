package remus.qemu;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.StagedBytes;

class DeviceStateTest {
    private static final byte[] STATE = HexFormat.of().parseHex("5145564d00000003" + "0400000001" + "aabbcc" + "00");

    @TempDir
    Path directory;

    @Test
    void theConfigurationSectionNamesTheMachine() {
        assertArrayEquals(
                HexFormat.of().parseHex("07" + "0000000a" + "70632d7133352d372e32"),
                DeviceState.configurationSection(MachineType.Q35));
    }

    @Test
    void anArm64MachineSaysTheSizeOfItsPages() {
        assertArrayEquals(
                HexFormat.of()
                        .parseHex("07" + "00000008" + "766972742d372e32" + "05" + "1e"
                                + HexFormat.of().formatHex("configuration/target-page-bits".getBytes(US_ASCII))
                                + "00000001" + "0000000c"),
                DeviceState.configurationSection(MachineType.VIRT));
    }

    @Test
    void whatPrecedesTheSectionsIsTheHeaderAndThatSection() {
        assertArrayEquals(
                HexFormat.of().parseHex("5145564d00000003" + "07" + "00000007" + "6d6963726f766d"),
                DeviceState.preamble(MachineType.MICROVM));
    }

    @Test
    void eachReadGivesTheFileAsItIsNow() throws Exception {
        Path file = directory.resolve("state");
        try (DeviceState state = DeviceState.open(file);
                StagedBytes target = new StagedBytes(1 << 20)) {
            Files.write(file, STATE);
            assertEquals(STATE.length, state.readInto(target));
            // Larger than the buffer that it starts with, then small again.
            byte[] large = new byte[300_000];
            System.arraycopy(STATE, 0, large, 0, 8);
            Files.write(file, large);
            target.clear();
            assertEquals(large.length, state.readInto(target));
            Files.write(file, STATE);
            target.clear();
            state.readInto(target);
            assertArrayEquals(STATE, target.segment().asSlice(0, target.size()).toArray(ValueLayout.JAVA_BYTE));
        }
    }

    @Test
    void aFullStagingBufferIsReported() throws Exception {
        Path file = directory.resolve("state");
        try (DeviceState state = DeviceState.open(file);
                StagedBytes target = new StagedBytes(4)) {
            Files.write(file, STATE);
            assertThrows(CheckpointException.class, () -> state.readInto(target));
        }
    }

    @Test
    void whatIsNoStateIsRefused() {
        assertRefused("5145564d00000004" + "04" + "00", "version=4");
        assertRefused("5145564e00000003" + "04" + "00", "magic=0x5145564e");
        assertRefused("5145564d00000003", "8 bytes");
        assertRefused("", "0 bytes");
        assertRefused("5145564d00000003" + "0401", "breaks off after 10 bytes");
    }

    @Test
    void anAbsurdlyLargeStateIsNotEvenRead() throws Exception {
        Path file = directory.resolve("state");
        try (DeviceState state = DeviceState.open(file);
                StagedBytes target = new StagedBytes(1 << 20);
                var sparse = new java.io.RandomAccessFile(file.toFile(), "rw")) {
            sparse.setLength(DeviceState.MAX_BYTES + 1L);
            assertThrows(DeviceStateException.class, () -> state.readInto(target));
        }
    }

    private static void assertRefused(String hex, String why) {
        try (Arena arena = Arena.ofConfined()) {
            byte[] bytes = HexFormat.of().parseHex(hex);
            MemorySegment segment = arena.allocate(Math.max(1, bytes.length));
            MemorySegment.copy(bytes, 0, segment, ValueLayout.JAVA_BYTE, 0, bytes.length);
            String message = assertThrows(DeviceStateException.class, () -> DeviceState.check(segment, bytes.length))
                    .getMessage();
            assertTrue(String.valueOf(message).contains(why), message);
        }
    }
}
