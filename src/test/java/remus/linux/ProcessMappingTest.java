package remus.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class ProcessMappingTest {
    private static final long MEBIBYTE = 1 << 20;

    @Test
    void namesMayHoldSpacesOrBeMissing() {
        ProcessMapping mapping =
                ProcessMapping.parse("7f0000000000-7f0000100000 rw-s 00200000 00:1a 42                 /dev/shm/a b");
        assertEquals(0x7f0000000000L, mapping.start());
        assertEquals(MEBIBYTE, mapping.bytes());
        assertEquals("rw-s", mapping.permissions());
        assertEquals(2 * MEBIBYTE, mapping.offset());
        assertEquals("00:1a", mapping.device());
        assertEquals(42, mapping.inode());
        assertEquals("/dev/shm/a b", mapping.name());
        assertEquals(
                "", ProcessMapping.parse("1000-2000 rw-p 00000000 00:00 0 ").name());
    }

    @Test
    void aFileMappedInAdjoiningPiecesIsOneMapping() {
        List<ProcessMapping> mappings = mappings(
                "00100000-00200000 rw-s 00000000 00:1a 42 /ram", "00200000-00300000 rw-s 00100000 00:1a 42 /ram");
        ProcessMapping whole =
                ProcessMapping.wholeFile(mappings, "00:1a", 42, 2 * MEBIBYTE).orElseThrow();
        assertEquals(0x100000, whole.start());
        assertEquals(0x300000, whole.end());
    }

    @Test
    void gapsOtherFilesAndPrivateMappingsDoNotCount() {
        String first = "00100000-00200000 rw-s 00000000 00:1a 42 /ram";
        assertMissing(first, "00300000-00400000 rw-s 00100000 00:1a 42 /ram");
        assertMissing(first, "00200000-00300000 rw-s 00100000 00:1a 43 /ram");
        assertMissing(first, "00200000-00300000 rw-s 00100000 00:1b 42 /ram");
        assertMissing(first, "00200000-00300000 rw-p 00100000 00:1a 42 /ram");
        assertMissing(first, "00200000-00300000 rw-s 00200000 00:1a 42 /ram");
    }

    private static void assertMissing(String... lines) {
        assertTrue(ProcessMapping.wholeFile(mappings(lines), "00:1a", 42, 2 * MEBIBYTE)
                .isEmpty());
    }

    private static List<ProcessMapping> mappings(String... lines) {
        return Stream.of(lines).map(ProcessMapping::parse).toList();
    }

    @Test
    void deviceNumbersAreWrittenAsTheKernelDoes() {
        assertEquals("00:1a", ProcessMapping.deviceText(0x1a));
        assertEquals("fe:00", ProcessMapping.deviceText(0xfe00));
        assertEquals("103:12345", ProcessMapping.deviceText(0x12300000L | 0x103L << 8 | 0x45));
    }
}
