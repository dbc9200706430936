package remus.host;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * This host's memory (proc(5), /proc/meminfo).
 *
 * @param availableBytes what new processes can have without swapping, by the kernel's estimate
 */
record MemoryInformation(long availableBytes) {
    static MemoryInformation read() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/meminfo"))) {
            if (line.startsWith("MemAvailable:")) {
                return new MemoryInformation(Long.parseLong(line.replaceAll("\\D", "")) << 10);
            }
        }
        throw new IOException("/proc/meminfo has no MemAvailable");
    }
}
