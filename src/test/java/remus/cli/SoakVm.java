package remus.cli;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import remus.api.StandbyMode;

/**
 * A VM of a soak: a guest with Redis, and where it has a disk, one that numbers the disk's sectors, one after the other and
 * round again, each safely written before the next.
 *
 * @param hosts the one that it is started on, then those that may back it up
 * @param disk its image on the first host, or null
 */
record SoakVm(
        DemoVm vm,
        StandbyMode standby,
        List<DemoHost> hosts,
        @Nullable Path disk) {
    private static final int SECTOR_BYTES = 512;
    private static final int SECTORS = 4096;

    String name() {
        return vm.name();
    }

    /** What the guest is to do, in the words of its kernel command line. */
    String work() {
        return disk == null ? "remus.run=redis" : "remus.run=redis,disk";
    }

    String disks() {
        return disk == null ? "" : "disks: [{name: numbers, image: %s}]%n".formatted(disk);
    }

    static Path makeDisk(Path image) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength((long) SECTORS * SECTOR_BYTES);
        }
        return image;
    }

    /** What is wrong with the numbers on the disk of a VM that has ended on {@code last}, or null. */
    @Nullable
    String problemOnDisk(DemoHost last) throws IOException {
        if (disk == null) {
            return null;
        }
        byte[] image = Files.readAllBytes(imageOn(last, disk));
        long highest = 0;
        for (int sector = 0; sector < SECTORS; sector++) {
            highest = Math.max(highest, number(image, sector));
        }
        for (int sector = 0; sector < SECTORS && highest > 0; sector++) {
            // The last number of those that belong there which is not after the highest one; 0: none was.
            long expected = highest - Math.floorMod(highest - 1 - sector, (long) SECTORS);
            long found = number(image, sector);
            if (found != Math.max(0, expected)) {
                return "%s: sector %d of its disk has number %d instead of %d, the last one is %d"
                        .formatted(name(), sector, found, Math.max(0, expected), highest);
            }
        }
        return highest == 0 ? name() + ": nothing was written to its disk" : null;
    }

    /** The first host keeps the image that it was started with. */
    private Path imageOn(DemoHost host, Path original) throws IOException {
        if (host.equals(hosts.getFirst())) {
            return original;
        }
        try (Stream<Path> files = Files.walk(host.state().resolve("vms").resolve(name()))) {
            return files.filter(file -> file.endsWith(original.getFileName()))
                    .findFirst()
                    .orElseThrow(() -> new IOException("host %s has no disk of %s".formatted(host.name(), name())));
        }
    }

    /** What the guest has written there; 0 for nothing. */
    private static long number(byte[] image, int sector) {
        String text = new String(image, sector * SECTOR_BYTES, SECTOR_BYTES, StandardCharsets.US_ASCII);
        return text.startsWith("sector ") ? Long.parseLong(text.substring(7, text.indexOf('\n'))) : 0;
    }
}
