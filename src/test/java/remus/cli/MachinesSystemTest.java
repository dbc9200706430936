package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import remus.api.EventType;
import remus.api.ProtectRequest;
import remus.api.StandbyMode;
import remus.api.WhenAlone;
import remus.bench.GuestImage;
import remus.qemu.MachineType;

/** Whatever machine a VM is, and however many processors it has: its network and its disk survive a failover. */
@Tag("system")
@Timeout(300)
class MachinesSystemTest {
    private static final int SECTOR_BYTES = 512;
    private static final int SECTORS = 4096;

    @TempDir
    private Path directory;

    @ParameterizedTest
    @CsvSource({
        "Q35, 2, WARM",
        "Q35, 4, WARM",
        "Q35, 4, COLD",
        "PC, 1, WARM",
        "PC, 1, COLD",
        "MICROVM, 1, WARM",
        "MICROVM, 1, COLD",
        "VIRT, 1, COLD",
        "VIRT, 2, WARM"
    })
    void networkAndDiskGoOnAfterAFailover(MachineType machine, int cpus, StandbyMode standby) throws Exception {
        Path image = directory.resolve("numbers.raw");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength((long) SECTORS * SECTOR_BYTES);
        }
        DemoGuest guest = new DemoGuest(GuestImage.make(machine.architecture()));
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.startRedis(guest.definition(machine, "remus.run=redis,disk")
                    + "cpus: %d\ndisks: [{name: numbers, image: %s}]\n".formatted(cpus, image));
            hosts.protect(
                    hosts.alpha,
                    hosts.beta,
                    new ProtectRequest(null, "25ms", null, "2s", null, null, WhenAlone.HOLD, null, standby, null));
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                awaitNumber(image, 1);
                hosts.alpha.kill(hosts.qemuPid(hosts.alpha));
                hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
                hosts.awaitAnswers(load, 50);
                ClientLoad.Figures figures = load.finish();
                assertNull(figures.problem());
                assertEquals(0, figures.lost());
                assertEquals(0, figures.resets());
            }
            Path copy = onlyImageUnder(directory.resolve(hosts.beta.name()));
            awaitNumber(copy, lastNumber(image) + 5);
            hosts.beta.post(VmPath.verb(DemoGuest.NAME, "stop"));
            for (int number = lastNumber(copy) + 1; number <= SECTORS; number++) {
                assertEquals(0, numberAt(copy, number), "a sector is missing before this one");
            }
        }
    }

    private static void awaitNumber(Path image, int least) throws Exception {
        long deadline = System.nanoTime() + TwoHosts.LIMIT.toNanos();
        while (lastNumber(image) < least) {
            assertTrue(
                    System.nanoTime() - deadline < 0,
                    "%s ends with sector %d, sector %d is awaited".formatted(image, lastNumber(image), least));
            TimeUnit.MILLISECONDS.sleep(20);
        }
    }

    /** The sectors are numbered from the first on; the disk is so large that none is numbered twice here. */
    private static int lastNumber(Path image) throws IOException {
        int last = 0;
        while (last < SECTORS && numberAt(image, last + 1) == last + 1) {
            last++;
        }
        assertTrue(last < SECTORS, "the disk is too small for this test");
        return last;
    }

    /** What the guest has written where this number belongs; 0 for nothing. */
    private static int numberAt(Path image, int number) throws IOException {
        byte[] sector = new byte[SECTOR_BYTES];
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "r")) {
            file.seek((long) (number - 1) * SECTOR_BYTES);
            file.readFully(sector);
        }
        String text = new String(sector, StandardCharsets.US_ASCII);
        return text.startsWith("sector ") ? Integer.parseInt(text.substring(7, text.indexOf('\n'))) : 0;
    }

    private static Path onlyImageUnder(Path state) throws IOException {
        try (var files = Files.walk(state)) {
            return files.filter(file -> file.endsWith("numbers.raw"))
                    .reduce((one, other) -> {
                        throw new AssertionError("two images: " + one + ", " + other);
                    })
                    .orElseThrow();
        }
    }
}
