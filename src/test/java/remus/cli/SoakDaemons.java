package remus.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/** Looks at the daemons of a soak again and again, to see what grows in those that live long. */
final class SoakDaemons {
    private static final String OWN = "RssAnon:";

    private final Map<Long, SoakReport.DaemonLife> lives = new LinkedHashMap<>();
    private final Map<Long, Long> sinceNanos = new LinkedHashMap<>();

    /** All hosts are up. */
    void look(List<DemoHost> hosts) throws IOException {
        for (DemoHost host : hosts) {
            long pid = host.pid();
            SoakReport.Look now = new SoakReport.Look(ownBytes(pid), descriptors(pid));
            long since = sinceNanos.computeIfAbsent(pid, first -> System.nanoTime());
            lives.merge(
                    pid,
                    new SoakReport.DaemonLife(host.name(), pid, 0, 1, now, now),
                    (before, first) -> new SoakReport.DaemonLife(
                            before.host(),
                            pid,
                            (System.nanoTime() - since) / 1_000_000_000,
                            before.looks() + 1,
                            before.first(),
                            now));
        }
    }

    private static long ownBytes(long pid) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/status"))) {
            if (line.startsWith(OWN)) {
                return Long.parseLong(
                                line.substring(OWN.length()).replace("kB", "").strip())
                        << 10;
            }
        }
        throw new IOException("the kernel does not tell the memory of process " + pid);
    }

    private static long descriptors(long pid) throws IOException {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/" + pid + "/fd"))) {
            return descriptors.count();
        }
    }

    /** Of each host the daemon that lived longest, which tells most. */
    List<SoakReport.DaemonLife> longest() {
        Map<String, SoakReport.DaemonLife> longest = new TreeMap<>();
        lives.values()
                .forEach(life -> longest.merge(
                        life.host(), life, (one, other) -> other.lifeSeconds() > one.lifeSeconds() ? other : one));
        return List.copyOf(longest.values());
    }
}
