package remus.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class DiskGuestImageTest {
    @Test
    void theAddressComesFromTheMac() {
        assertEquals("10.77.0.2", DiskGuestImage.addressOfMac("52:54:00:4d:00:02"));
        assertEquals("10.0.255.15", DiskGuestImage.addressOfMac("52:54:00:00:ff:0F"));
        assertThrows(IllegalArgumentException.class, () -> DiskGuestImage.addressOfMac("52:54:00:4d:00"));
    }
}
