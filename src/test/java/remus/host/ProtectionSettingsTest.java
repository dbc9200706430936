package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import remus.api.CompressMode;
import remus.api.ProtectRequest;
import remus.api.StandbyMode;
import remus.api.WhenAlone;
import remus.base.ByteSize;

class ProtectionSettingsTest {
    private static final ProtectionSettings FROM_FILE = new ProtectionSettings(
            List.of("beta"),
            Duration.ofMillis(50),
            20,
            Duration.ofMillis(400),
            WhenAlone.CONTINUE,
            true,
            0,
            new ByteSize(0),
            StandbyMode.WARM,
            CompressMode.AUTO);

    private static ProtectRequest request(String interval, String detect) {
        return new ProtectRequest(null, interval, null, detect, null, null, null, null, null, null);
    }

    @Test
    void aRequestChangesOnlyWhatItSays() throws Exception {
        assertEquals(
                FROM_FILE,
                FROM_FILE.with(new ProtectRequest(null, null, null, null, null, null, null, null, null, null)));
        assertEquals(
                new ProtectionSettings(
                        Stream.concat(Stream.of("192.0.2.7:7420"), FROM_FILE.backups().stream())
                                .toList(),
                        Duration.ofMillis(25),
                        20,
                        Duration.ofMillis(100),
                        WhenAlone.HOLD,
                        false,
                        10,
                        ByteSize.ofMebibytes(50),
                        StandbyMode.COLD,
                        CompressMode.AUTO),
                FROM_FILE.with(new ProtectRequest(
                        "192.0.2.7:7420",
                        "25ms",
                        null,
                        "100ms",
                        false,
                        10L,
                        WhenAlone.HOLD,
                        "50MiB",
                        StandbyMode.COLD,
                        null)));
    }

    @Test
    void aBackupThatIsAskedForComesFirstAndAFormerPrimaryLast() throws Exception {
        ProtectionSettings named =
                FROM_FILE.with(new ProtectRequest("gamma", null, null, null, null, null, null, null, null, null));
        assertEquals("gamma", named.backups().getFirst());
        assertEquals(
                named, named.with(new ProtectRequest("gamma", null, null, null, null, null, null, null, null, null)));
        ProtectionSettings taken = named.withLast("192.0.2.1:7420");
        assertEquals("192.0.2.1:7420", taken.backups().getLast());
        assertEquals(taken, taken.withLast("192.0.2.1:7420"));
        assertEquals(
                "192.0.2.1:7420", taken.withFirst("192.0.2.1:7420").backups().getFirst());
        assertEquals(
                taken.backups().size(),
                taken.withFirst("192.0.2.1:7420").backups().size());
        for (int host = 0; host < 40; host++) {
            taken = taken.withLast("192.0.2.%d:7420".formatted(100 + host));
        }
        assertEquals(ProtectionSettings.MAX_CANDIDATES, taken.backups().size());
        assertEquals("gamma", taken.backups().getFirst());
        assertEquals("192.0.2.139:7420", taken.backups().getLast());
    }

    @Test
    void wrongValuesAreRefusedByName() {
        String message =
                String.valueOf(assertThrows(OperationException.class, () -> FROM_FILE.with(request("25", "never")))
                        .getMessage());
        assertTrue(message.contains("interval: '25' is not a duration"), message);
        assertTrue(message.contains("detect: 'never' is not a duration"), message);
        assertThrows(
                OperationException.class,
                () -> FROM_FILE.with(
                        new ProtectRequest(null, null, null, null, null, null, null, "100KiB", null, null)));
        assertThrows(OperationException.class, () -> FROM_FILE.with(request("1ms", "100ms")));
        assertThrows(OperationException.class, () -> FROM_FILE.with(request("25ms", "49ms")));
        assertThrows(OperationException.class, () -> FROM_FILE.with(request("60ms", "100ms")));
        assertThrows(OperationException.class, () -> FROM_FILE.with(request("25ms", "2min")));
        assertThrows(
                OperationException.class,
                () -> FROM_FILE.with(new ProtectRequest(null, null, null, null, null, -1L, null, null, null, null)));
    }
}
