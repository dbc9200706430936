package remus.disk;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The NBD server, with a raw image behind it, under clients that others wrote: libnbd's and QEMU's. */
@Tag("system")
@Timeout(120)
class NbdClientsSystemTest {
    private static final long BYTES = 256L << 20;
    private static final int DATA_AT = 64 << 20;
    private static final int DATA_BYTES = 3 << 20;
    private static final long COMMAND_LIMIT_SECONDS = 60;

    @TempDir
    Path directory;

    @Nullable
    private RawImage image;

    @Nullable
    private RawImage second;

    @Nullable
    private NbdServer server;

    @BeforeEach
    void serveASparseImageWithDataInIt() throws Exception {
        RawImage root = RawImage.create(directory.resolve("root.raw"), BYTES);
        image = root;
        byte[] data = new byte[DATA_BYTES];
        new Random(7).nextBytes(data);
        try (Arena arena = Arena.ofConfined()) {
            root.write(DATA_AT, arena.allocateFrom(JAVA_BYTE, data), 0, DATA_BYTES);
        }
        RawImage empty = RawImage.create(directory.resolve("data.raw"), BYTES);
        second = empty;
        server = NbdServer.open(
                directory.resolve("nbd"),
                "clients",
                List.of(new ImageExport("root", root), new ImageExport("data", empty)));
    }

    @AfterEach
    void closeAll() {
        for (AutoCloseable owned : new AutoCloseable[] {server, image, second}) {
            if (owned != null) {
                try {
                    owned.close();
                } catch (Exception e) {
                    throw new AssertionError(e);
                }
            }
        }
    }

    private String uri(String export) {
        return "nbd+unix:///" + export + "?socket=" + directory.resolve("nbd");
    }

    @Test
    void nbdinfoSeesWhatTheServerCan() throws Exception {
        String told = run("nbdinfo", "--json", uri("root"));
        for (String expected : List.of(
                "\"protocol\": \"newstyle-fixed\"",
                "\"structured\": true",
                "\"export-size\": " + BYTES,
                "\"base:allocation\"",
                "\"is_read_only\": false",
                "\"can_df\": true",
                "\"can_fast_zero\": false",
                "\"can_flush\": true",
                "\"can_fua\": true",
                "\"can_multi_conn\": true",
                "\"can_trim\": true",
                "\"can_zero\": true",
                "\"block_size_minimum\": 512",
                "\"block_size_preferred\": 4096",
                "\"block_size_maximum\": 2097152")) {
            assertTrue(told.contains(expected), expected + " in " + told);
        }
    }

    @Test
    void nbdinfoListsAllExports() throws Exception {
        String told = run("nbdinfo", "--list", uri("root"));
        assertTrue(told.contains("export=\"root\"") && told.contains("export=\"data\""), told);
    }

    @Test
    void nbdinfoSeesDataAndHolesWhereTheyAre() throws Exception {
        assertEquals(
                List.of("0 67108864 3 hole,zero", "67108864 3145728 0 data", "70254592 198180864 3 hole,zero"),
                run("nbdinfo", "--map", uri("root"))
                        .lines()
                        .map(line -> line.strip().replaceAll(" +", " "))
                        .toList());
    }

    @Test
    void nbdcopyCopiesBothWaysAndTheCopiesAreAsSparse() throws Exception {
        Path copy = directory.resolve("copy.raw");
        run("nbdcopy", uri("root"), copy.toString());
        assertEquals(-1, Files.mismatch(directory.resolve("root.raw"), copy));
        assertSparse(copy);
        run("nbdcopy", copy.toString(), uri("data"));
        run("nbdcopy", "--flush", "--connections=4", "--requests=64", copy.toString(), uri("data"));
        assertEquals(-1, Files.mismatch(copy, directory.resolve("data.raw")));
        assertSparse(directory.resolve("data.raw"));
    }

    private static void assertSparse(Path file) throws IOException, InterruptedException {
        long allocated =
                512 * Long.parseLong(run("stat", "--format=%b", file.toString()).strip());
        assertTrue(allocated < 2 * DATA_BYTES, file + " has " + allocated + " bytes allocated");
    }

    /** libnbd checks much itself; with its strict mode off it sends what it is told to. */
    @Test
    void nbdshIsRefusedWhatIsWrongAndServedWhatIsRight() throws Exception {
        String script = """
                import errno
                h.set_strict_mode(0)
                h.add_meta_context("base:allocation")
                h.connect_uri("%s")
                size = h.get_size()
                def refused(number, call):
                    try:
                        call()
                    except nbd.Error as e:
                        assert e.errnum == number, (e.errnum, number, e.string)
                        return
                    assert False, "not refused"
                refused(errno.EINVAL, lambda: h.pread(512, size))
                refused(errno.EINVAL, lambda: h.pread(1024, size - 512))
                refused(errno.EINVAL, lambda: h.pread(511, 0))
                refused(errno.EINVAL, lambda: h.pread(512, 1))
                refused(errno.EINVAL, lambda: h.pread(4 << 20, 0))
                refused(errno.ENOSPC, lambda: h.pwrite(bytearray(512), size))
                refused(errno.EINVAL, lambda: h.pwrite(bytearray(100), 0))
                refused(errno.EINVAL, lambda: h.pwrite(bytearray(4 << 20), 0))
                refused(errno.EINVAL, lambda: h.trim(512, size))
                refused(errno.EINVAL, lambda: h.trim(512, 5))
                refused(errno.ENOSPC, lambda: h.zero(512, size))
                refused(errno.EINVAL, lambda: h.cache(512, 0))
                refused(errno.EINVAL, lambda: h.block_status(512, size, lambda *a: 0))
                refused(errno.EINVAL, lambda: h.zero(512, 0, nbd.CMD_FLAG_FAST_ZERO))
                refused(errno.EINVAL, lambda: h.pread(512, 0, 0x20))
                refused(errno.EINVAL, lambda: h.flush(0x40))
                h.pwrite(bytearray(b"remus" * 1024)[:4096], 4096, nbd.CMD_FLAG_FUA)
                assert h.pread(4096, 4096)[:5] == b"remus"
                h.zero(4096, 4096, nbd.CMD_FLAG_NO_HOLE)
                assert h.pread(4096, 4096) == bytearray(4096)
                h.trim(1 << 20, 64 << 20)
                h.flush()
                h.shutdown()
                print("all as it should be")
                """.formatted(uri("root"));
        // What nbdsh runs, but with the system's own Python, for which libnbd is installed.
        assertEquals(
                "all as it should be",
                run("/usr/bin/python3", "-m", "nbd", "-c", script).strip());
    }

    @Test
    void qemuImgConvertsComparesAndChecks() throws Exception {
        String told = run("qemu-img", "info", uri("root"));
        assertTrue(told.contains("file format: raw") && told.contains("(268435456 bytes)"), told);
        String map = run("qemu-img", "map", "--output=json", "-f", "raw", uri("root"));
        assertTrue(
                map.contains(
                        "\"start\": 67108864, \"length\": 3145728, \"depth\": 0, \"present\": true, \"zero\": false"),
                map);
        Path copy = directory.resolve("copy.qcow2");
        run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", uri("root"), copy.toString());
        run("qemu-img", "compare", "-f", "raw", "-F", "qcow2", uri("root"), copy.toString());
        run("qemu-img", "convert", "-n", "-f", "qcow2", "-O", "raw", copy.toString(), uri("data"));
        run("qemu-img", "compare", "-f", "raw", "-F", "raw", uri("data"), uri("root"));
        assertSparse(directory.resolve("data.raw"));
        // A format within the export makes QEMU write much more than data.
        run("qemu-img", "create", "-f", "qcow2", uri("data"), "64M");
        run("qemu-img", "convert", "-n", "-f", "raw", "-O", "qcow2", smallCopy().toString(), uri("data"));
        String checked = run("qemu-img", "check", "-f", "qcow2", uri("data"));
        assertTrue(checked.contains("No errors were found"), checked);
    }

    private Path smallCopy() throws IOException {
        Path small = directory.resolve("small.raw");
        byte[] data = new byte[8 << 20];
        new Random(3).nextBytes(data);
        return Files.write(small, data);
    }

    @Test
    void qemuIoReadsWhatItWroteWithManyRequestsUnderWay() throws Exception {
        String told = run(
                "qemu-io",
                "-f",
                "raw",
                "-c",
                "aio_write -P 1 0 64k",
                "-c",
                "aio_write -P 2 64k 64k",
                "-c",
                "aio_write -P 3 128k 5M",
                "-c",
                "aio_flush",
                "-c",
                "write -f -P 4 8M 4k",
                "-c",
                "write -z 64k 4k",
                "-c",
                "write -z -u 9M 4k",
                "-c",
                "discard 128k 1M",
                "-c",
                "flush",
                "-c",
                "read -P 1 0 64k",
                "-c",
                "read -P 0 64k 4k",
                "-c",
                "read -P 2 68k 60k",
                "-c",
                "read -P 0 128k 1M",
                "-c",
                "read -P 3 1152k 1M",
                "-c",
                "read -P 4 8M 4k",
                uri("data"));
        assertTrue(!told.contains("Pattern verification failed"), told);
    }

    /** The program's output; fails the test when it fails or takes too long. */
    private static String run(String... command) throws IOException, InterruptedException {
        Path output = Files.createTempFile("remus-test", ".out");
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectOutput(output.toFile())
                .start();
        try {
            boolean ended = process.waitFor(COMMAND_LIMIT_SECONDS, TimeUnit.SECONDS);
            String text = Files.readString(output, StandardCharsets.UTF_8);
            assertTrue(ended, String.join(" ", command) + " does not end: " + text);
            assertEquals(0, process.exitValue(), String.join(" ", command) + ": " + text);
            return text;
        } finally {
            process.destroyForcibly();
            Files.delete(output);
        }
    }
}
