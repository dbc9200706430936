package remus.qemu;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HexFormat;

/**
 * The smallest guest that shows whether it goes on: a multiboot kernel of 162 bytes that counts, prints each number to
 * the serial port and writes memory. QEMU boots it by {@code -kernel} on every machine type within a fraction of a
 * second. It obeys commands that are written into its memory from outside.
 *
 * <p>In each round: counter + 1; stored at 2 MiB and in one of 256 pages from 3 MiB on; printed as eight letters A to P
 * (hexadecimal digits) and a newline; a delay; then the command word at 2 MiB + 4 is looked at.
 */
final class CountingGuest {
    static final int POWER_OFF = 1;
    static final int RESET = 2;
    static final int PANIC = 3;

    private static final long COUNTER = 2 << 20;
    private static final long COMMAND = COUNTER + 4;
    private static final int LINE_LENGTH = 8;

    // as --32, loaded at 1 MiB. Power-off: port 0x604 (ACPI PM1a control, q35 and pc). Reset: a triple fault.
    private static final byte[] CODE = HexFormat.of()
            .parseHex("02b0ad1b" + "00000100" + "fe4f51e4" // multiboot: magic, flags, checksum
                    + "00001000" + "00001000" + "a2001000" + "a2001000" + "20001000" // addresses, entry
                    + "fafc31dbc7050400200000000000" // cli; cld; counter = command = 0
                    + "43891d00002000" // loop: counter++, store
                    + "89d8c1e00c2500f00f00899800003000" // page
                    + "89debf08000000c1c60489f0240f044166baf803ee4f75efb00aee" // print
                    + "b9204e00004975fd" // delay
                    + "a10400200085c074bd" // no command: loop
                    + "c7050400200000000000" + "83f801740e83f8027415"
                    + "66ba0505b001eeeba0" // panic: port 0x505 (pvpanic); loop
                    + "66ba040666b8002066efeb94" // power-off; loop
                    + "0f011d10002000cc"); // reset: empty interrupt table, int3

    private CountingGuest() {}

    static Path writeKernel(Path directory) throws IOException {
        return Files.write(directory.resolve("counting-guest"), CODE);
    }

    static int counter(Path ramFile) throws IOException {
        return word(ramFile, COUNTER);
    }

    static void command(Path ramFile, int command) throws IOException {
        try (Arena arena = Arena.ofConfined();
                FileChannel channel = FileChannel.open(ramFile, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            channel.map(FileChannel.MapMode.READ_WRITE, COMMAND, 4, arena).set(JAVA_INT, 0, command);
        }
    }

    /** The last number printed completely, 0 when none was. */
    static long lastPrinted(Path console) throws IOException {
        if (!Files.exists(console)) {
            return 0;
        }
        return Files.readString(console)
                .lines()
                .filter(line -> line.matches("[A-P]{" + LINE_LENGTH + "}"))
                .reduce((first, second) -> second)
                .map(CountingGuest::number)
                .orElse(0L);
    }

    static boolean hasPrinted(Path console, long number) throws IOException {
        return Files.readString(console)
                .lines()
                .anyMatch(line -> line.matches("[A-P]{" + LINE_LENGTH + "}") && number(line) == number);
    }

    static long firstPrinted(Path console) throws IOException {
        // The first line may be the rest of one that the other host's guest began.
        return Files.readString(console)
                .lines()
                .filter(line -> line.matches("[A-P]{" + LINE_LENGTH + "}"))
                .findFirst()
                .map(CountingGuest::number)
                .orElse(0L);
    }

    private static long number(String letters) {
        return letters.chars().asLongStream().reduce(0, (value, letter) -> value * 16 + letter - 'A');
    }

    private static int word(Path ramFile, long offset) throws IOException {
        try (Arena arena = Arena.ofConfined();
                FileChannel channel = FileChannel.open(ramFile, StandardOpenOption.READ)) {
            MemorySegment word = channel.map(FileChannel.MapMode.READ_ONLY, offset, 4, arena);
            return word.get(JAVA_INT, 0);
        }
    }
}
