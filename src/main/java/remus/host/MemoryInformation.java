package remus.host;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * This host's memory (proc(5), /proc/meminfo).
 *
 * @param totalBytes what the kernel has for itself and all processes
 * @param availableBytes what new processes can have without swapping, by the kernel's estimate
 */
record MemoryInformation(long totalBytes, long availableBytes) {
    private static final Path FILE = Path.of("/proc/meminfo");

    static MemoryInformation read() throws IOException {
        List<String> lines = Files.readAllLines(FILE);
        return new MemoryInformation(bytes(lines, "MemTotal"), bytes(lines, "MemAvailable"));
    }

    private static long bytes(List<String> lines, String key) throws IOException {
        for (String line : lines) {
            if (line.startsWith(key + ":")) {
                return Long.parseLong(line.replaceAll("\\D", "")) << 10;
            }
        }
        throw new IOException(FILE + " has no " + key);
    }
}
