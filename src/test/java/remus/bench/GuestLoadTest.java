package remus.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import remus.base.ByteSize;

class GuestLoadTest {
    @ParameterizedTest
    @ValueSource(strings = {"idle", "dirty-1", "dirty-500", "dirty-1048576"})
    void aNameIsReadAndWrittenAlike(String name) {
        assertEquals(name, GuestLoad.parse(name).toString());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "Idle", "dirty", "dirty-", "dirty-0", "dirty-05", "dirty-1048577", "dirty-99999999", "redis"
            })
    void whatIsNoWorkloadIsRefusedByName(String name) {
        String message = String.valueOf(assertThrows(IllegalArgumentException.class, () -> GuestLoad.parse(name))
                .getMessage());
        assertTrue(message.contains("'" + name + "'") || message.contains("pages=1048577"), message);
    }

    @Test
    void theGuestIsToldItsWorkInItsOwnWords() {
        assertEquals("remus.run=idle", new GuestLoad(0).keys());
        assertEquals("remus.run=dirty remus.pages=500 remus.per=25ms", new GuestLoad(500).keys());
        assertEquals("remus.run=echo,idle", new GuestLoad(0).keysWithEcho());
        assertEquals("remus.run=echo,dirty remus.pages=500 remus.per=25ms", new GuestLoad(500).keysWithEcho());
    }

    @Test
    void aGuestThatIsTooSmallIsRefusedWithTheSizeItNeeds() {
        new GuestLoad(0).requireRoom(ByteSize.ofMebibytes(160));
        String message = assertThrows(
                        IllegalArgumentException.class, () -> new GuestLoad(256).requireRoom(ByteSize.ofMebibytes(160)))
                .getMessage();
        assertEquals("a guest of 160 MiB can't write 256 pages: give it at least 161 MiB", message);
    }
}
