package remus.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import remus.base.RemusException;
import remus.host.HostLauncher;
import remus.linux.ProcessMapping;

/**
 * Counts what hosts have, so that two counts in the same state show a leak. Everything is counted from outside: processes
 * and descriptors by {@code /proc}, memory off the heap by the JVM's own bookkeeping (native memory tracking, which the
 * daemon must be started with: {@link #DAEMON_OPTIONS}), asked by {@code jcmd}. A garbage collection comes first, for
 * direct buffers go with the objects that hold them. The daemons must be running.
 */
final class HostCensus {
    /** Options of the JVM of a daemon that is to be counted. */
    static final List<String> DAEMON_OPTIONS = List.of("-XX:NativeMemoryTracking=summary");

    private static final Duration JCMD_LIMIT = Duration.ofSeconds(30);
    private static final Path PROC = Path.of("/proc");
    private static final String QEMU = "qemu-system";
    private static final String TAP = "remus";
    private static final String DELETED = " (deleted)";

    /** Arenas and direct buffers are all that this JVM's code allocates by Unsafe, which counts as Other. */
    private static final Pattern OFF_HEAP = Pattern.compile("\\bOther \\(reserved=\\d+, committed=(\\d+)\\)");

    private final Path jcmdCommands;

    /** @param directory receives a file of its own */
    HostCensus(Path directory) throws CommandException {
        jcmdCommands = directory.resolve("census.jcmd");
        try {
            Files.writeString(jcmdCommands, "GC.run\nVM.native_memory summary scale=b\n");
        } catch (IOException e) {
            throw failed(e);
        }
    }

    /** Counts at once. */
    Census count(String state, List<DemoHost> hosts) throws RemusException, InterruptedException {
        List<HostCount> counts = new ArrayList<>();
        for (DemoHost host : hosts) {
            counts.add(count(host));
        }
        return new Census(state, counts);
    }

    private HostCount count(DemoHost host) throws RemusException, InterruptedException {
        long pid = host.pid();
        // The JVM opens a socket for jcmd at the first time: so it comes before the descriptors.
        long offHeap = offHeapBytes(askJvm(host.name(), pid));
        Path memory = HostLauncher.guestMemory(host.state());
        try {
            SortedMap<String, Long> kinds = descriptorKinds(pid);
            List<Long> files = fileSizes(memory);
            return new HostCount(
                    host.name(),
                    qemusIn(host.namespaceFile()),
                    taps(pid),
                    files.size(),
                    files.stream().mapToLong(Long::longValue).sum(),
                    kinds.values().stream().mapToLong(Long::longValue).sum(),
                    kinds,
                    ProcessMapping.of(pid).stream()
                            .filter(mapping -> mapping.name().startsWith(memory.toString()))
                            .mapToLong(ProcessMapping::bytes)
                            .sum(),
                    offHeap,
                    entries(PROC.resolve(pid + "/task")).size());
        } catch (IOException e) {
            throw new CommandException("host %s can't be counted: %s".formatted(host.name(), e), e);
        }
    }

    private String askJvm(String host, long pid) throws CommandException, InterruptedException {
        Path jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd");
        try {
            Path answer = Files.createTempFile(jcmdCommands.toAbsolutePath().getParent(), "census", ".txt");
            try {
                Process process = new ProcessBuilder(jcmd.toString(), Long.toString(pid), "-f", jcmdCommands.toString())
                        .redirectErrorStream(true)
                        .redirectOutput(answer.toFile())
                        .start();
                if (!process.waitFor(JCMD_LIMIT.toNanos(), TimeUnit.NANOSECONDS)) {
                    process.destroyForcibly();
                    throw new CommandException("host %s: its JVM does not answer jcmd within %d s"
                            .formatted(host, JCMD_LIMIT.toSeconds()));
                }
                return Files.readString(answer);
            } finally {
                Files.delete(answer);
            }
        } catch (IOException e) {
            throw new CommandException(
                    "host %s: its JVM can't be asked: %s; jcmd is part of every JDK".formatted(host, e.getMessage()),
                    e);
        }
    }

    /** What {@code VM.native_memory summary scale=b} says is allocated outside of the heap, in bytes. */
    static long offHeapBytes(String nativeMemory) throws CommandException {
        Matcher matcher = OFF_HEAP.matcher(nativeMemory);
        if (!matcher.find()) {
            throw new CommandException("jcmd does not tell the memory off the heap but: "
                    + nativeMemory.strip().lines().limit(3).toList());
        }
        return Long.parseLong(matcher.group(1));
    }

    private static long qemusIn(Path namespace) throws IOException {
        Object inode = Files.getAttribute(namespace, "unix:ino");
        String link = "net:[" + inode + "]";
        long count = 0;
        for (Path process : entries(PROC)) {
            if (Character.isDigit(process.getFileName().toString().charAt(0))
                    && link.equals(target(process.resolve("ns/net")))
                    && text(process.resolve("comm")).startsWith(QEMU)) {
                count++;
            }
        }
        return count;
    }

    private static long taps(long pid) throws IOException {
        return text(PROC.resolve(pid + "/net/dev"))
                .lines()
                .filter(line -> line.strip().startsWith(TAP))
                .count();
    }

    private static SortedMap<String, Long> descriptorKinds(long pid) throws IOException {
        SortedMap<String, Long> kinds = new TreeMap<>();
        for (Path descriptor : entries(PROC.resolve(pid + "/fd"))) {
            String target = target(descriptor);
            if (!target.isEmpty()) {
                kinds.merge(kind(target), 1L, Long::sum);
            }
        }
        return kinds;
    }

    /** What a descriptor is of, without the number that tells it from others of its kind. */
    static String kind(String target) {
        if (target.startsWith("anon_inode:") || !target.startsWith("/")) {
            return target.replaceFirst(":\\[\\d+\\]$", "");
        }
        boolean deleted = target.endsWith(DELETED);
        if (target.endsWith(".jar")) {
            return "libraries"; // dozens of directories, and of no interest
        }
        Path file = Path.of(deleted ? target.substring(0, target.length() - DELETED.length()) : target);
        Path directory = file.getParent();
        String where = directory == null || target.startsWith("/dev/net") ? file.toString() : "files in " + directory;
        return deleted ? "deleted " + where : where;
    }

    /** Sizes of all files below a directory, which need not be there. */
    private static List<Long> fileSizes(Path directory) throws IOException {
        List<Long> sizes = new ArrayList<>();
        for (Path entry : entries(directory)) {
            if (Files.isDirectory(entry)) {
                sizes.addAll(fileSizes(entry));
            } else {
                try {
                    sizes.add(Files.size(entry));
                } catch (NoSuchFileException e) {
                    // removed between the two looks
                }
            }
        }
        return sizes;
    }

    private static List<Path> entries(Path directory) throws IOException {
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.toList();
        } catch (NoSuchFileException e) {
            return List.of();
        }
    }

    /** Empty where it is gone or not ours. */
    private static String target(Path link) {
        try {
            return Files.readSymbolicLink(link).toString();
        } catch (IOException e) {
            return "";
        }
    }

    private static String text(Path file) {
        try {
            return Files.readString(file, StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            return "";
        }
    }

    private static CommandException failed(IOException e) {
        return new CommandException("the hosts can't be counted: " + e.getMessage(), e);
    }
}
