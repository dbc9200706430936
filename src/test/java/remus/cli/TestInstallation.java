package remus.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HexFormat;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/**
 * The classes under test as a jar with a class cache, for the daemons of system tests, of which there are hundreds: with it
 * one takes half the processor time to start. Made by whichever test needs it first, from the compiled classes as they are
 * then, and named by them, so that none is ever stale; kept for the next run with the same classes. Safe for several test
 * JVMs at once. Where no cache can be made they start without.
 */
final class TestInstallation {
    private static final Path DIRECTORY = Path.of("target", "test-installation").toAbsolutePath();
    private static final Path CLASSES = Path.of("target", "classes").toAbsolutePath();

    private TestInstallation() {}

    /** @param jvmOptions further options of the JVM */
    static Installation with(List<String> jvmOptions) {
        return Installation.ofJar(Made.JAR, Made.CACHE, jvmOptions);
    }

    /** Whether there is a cache, on which nothing but speed depends. */
    static boolean hasCache() {
        return Files.exists(Made.CACHE);
    }

    private static final class Made {
        static final Path JAR;
        static final Path CACHE;

        static {
            try {
                String key = key();
                JAR = DIRECTORY.resolve("remus-" + key + ".jar");
                CACHE = DIRECTORY.resolve("remus-" + key + ".aot");
                Files.createDirectories(DIRECTORY);
                try (FileChannel channel = FileChannel.open(
                                DIRECTORY.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                        FileLock lock = channel.lock()) {
                    Path complete = DIRECTORY.resolve("remus-" + key + ".complete");
                    if (lock.isValid() && !Files.exists(complete)) {
                        clear();
                        pack(JAR);
                        makeCache();
                        Files.createFile(complete);
                    }
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        private static void makeCache() throws IOException {
            ProcessBuilder script = new ProcessBuilder("scripts/class-cache", JAR.toString(), CACHE.toString());
            script.environment().put("JAVA_HOME", System.getProperty("java.home"));
            try {
                int exitCode = script.redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .start()
                        .waitFor();
                if (exitCode != 0) {
                    System.err.println("no class cache for daemons of tests: see " + CACHE + ".log");
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Of all classes, the libraries and the JDK. */
    private static String key() throws IOException {
        CRC32C sum = new CRC32C();
        sum.update(System.getProperty("java.home").getBytes(UTF_8));
        sum.update(System.getProperty("java.vm.version").getBytes(UTF_8));
        sum.update(libraries().toString().getBytes(UTF_8));
        for (Path file : classFiles()) {
            sum.update(file.toString().getBytes(UTF_8));
            sum.update(Files.readAllBytes(file));
        }
        return HexFormat.of().toHexDigits((int) sum.getValue());
    }

    private static List<Path> classFiles() throws IOException {
        try (Stream<Path> files = Files.walk(CLASSES)) {
            return files.filter(Files::isRegularFile).sorted().toList();
        }
    }

    private static List<Path> libraries() {
        return Stream.of(System.getProperty("java.class.path").split(File.pathSeparator, -1))
                .filter(entry -> entry.endsWith(".jar"))
                .map(Path::of)
                .toList();
    }

    /** A cache takes classes only from jars that the manifest names relative to its own: they are linked to from beside it. */
    private static String linked() throws IOException {
        Path directory = Files.createDirectories(DIRECTORY.resolve("lib"));
        for (Path library : libraries()) {
            Files.createSymbolicLink(directory.resolve(library.getFileName()), library.toAbsolutePath());
        }
        return libraries().stream()
                .map(library -> "lib/" + library.getFileName())
                .collect(Collectors.joining(" "));
    }

    private static void pack(Path jar) throws IOException {
        Manifest manifest = new Manifest();
        Attributes attributes = manifest.getMainAttributes();
        attributes.put(Attributes.Name.MANIFEST_VERSION, "1.0");
        attributes.put(Attributes.Name.MAIN_CLASS, Remus.class.getName());
        attributes.put(Attributes.Name.CLASS_PATH, linked());
        attributes.put(new Attributes.Name("Enable-Native-Access"), "ALL-UNNAMED");
        try (OutputStream out = Files.newOutputStream(jar);
                JarOutputStream packed = new JarOutputStream(out, manifest)) {
            for (Path file : classFiles()) {
                packed.putNextEntry(new JarEntry(CLASSES.relativize(file).toString()));
                Files.copy(file, packed);
                packed.closeEntry();
            }
        }
    }

    /** What was made of other classes. */
    private static void clear() throws IOException {
        try (Stream<Path> files = Files.walk(DIRECTORY)) {
            for (Path file : files.filter(
                            file -> !Files.isDirectory(file, LinkOption.NOFOLLOW_LINKS) && !file.endsWith("lock"))
                    .toList()) {
                Files.delete(file);
            }
        }
    }
}
