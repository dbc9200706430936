package remus.memory;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The guests of these tests: boot sectors, assembled when they are needed. */
enum TestGuest {
    /** Writes scattered words, zeros whole pages and reads its disk; for TCG. */
    WRITER("writer-guest.S"),
    /** Writes scattered words in ring 3; for KVM. */
    RING3("ring3-guest.S");

    /** Where both count their loops, and its page. */
    static final long COUNTER_OFFSET = 0x600000;

    static final long COUNTER_PAGE = COUNTER_OFFSET / GuestMemory.PAGE_BYTES;
    /** Memory that both need. */
    static final long MEMORY_BYTES = 128L << 20;

    /** The firmware takes no disk of less than one of its cylinders. */
    private static final int DISK_BYTES = 16 << 20;

    private final String source;

    TestGuest(String source) {
        this.source = source;
    }

    /**
     * Makes the disk that the guest boots from.
     *
     * @param spin how long it idles between its writes, in loops of two instructions
     */
    Path disk(Path directory, int spin) throws IOException, InterruptedException {
        Path assembly = directory.resolve(source);
        try (InputStream text = TestGuest.class.getResourceAsStream(source)) {
            if (text == null) {
                throw new IOException("no " + source);
            }
            Files.write(assembly, text.readAllBytes());
        }
        Path object = directory.resolve(source + ".o");
        Path disk = directory.resolve(source + ".img");
        run(List.of("gcc", "-c", "-DSPIN=" + spin, assembly.toString(), "-o", object.toString()));
        run(List.of(
                "ld",
                "-Ttext=0x7c00",
                "-e",
                "_start",
                "--oformat",
                "binary",
                object.toString(),
                "-o",
                disk.toString()));
        byte[] sectors = new byte[DISK_BYTES];
        byte[] boot = Files.readAllBytes(disk);
        for (int i = 0; i < sectors.length; i++) {
            sectors[i] = i < boot.length ? boot[i] : (byte) (i / 512 * 31 + i);
        }
        Files.write(disk, sectors);
        return disk;
    }

    private static void run(List<String> command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (!process.waitFor(30, TimeUnit.SECONDS) || process.exitValue() != 0) {
            throw new IOException(command + " failed: " + output);
        }
    }
}
