package remus.host;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.base.Release;
import remus.base.Time;
import remus.qemu.Accelerator;
import remus.qemu.MachineType;
import remus.qemu.QemuException;
import remus.qemu.QemuInstallation;
import remus.wire.HostAnswer;
import remus.wire.WireLimits;

/**
 * What this host tells of itself to others. QEMU is asked once, when this is first asked for, whatever comes of it: a
 * stranger's questions start no programs. Thread-safe.
 */
public final class HostDescription {
    private static final Logger LOG = LoggerFactory.getLogger(HostDescription.class);
    private static final String UNKNOWN = "unknown";

    private final String name;
    private final QemuInstallation installation;
    private final Supplier<Accelerator> accelerator;
    private final Time time;
    private @Nullable List<String> cpuModels;

    /** Looks how much room there is. */
    @FunctionalInterface
    public interface Room {
        GuestRoom read() throws IOException;
    }

    /** @param accelerator tells what {@code accelerator: auto} stands for here */
    public HostDescription(String name, QemuInstallation installation, Supplier<Accelerator> accelerator, Time time) {
        this.name = name;
        this.installation = installation;
        this.accelerator = accelerator;
        this.time = time;
    }

    /** @param room what is left here for further VMs */
    public HostAnswer answer(Room room) {
        Accelerator automatic = accelerator.get();
        List<String> machines = Stream.of(MachineType.values())
                .filter(installation.features()::offers)
                .map(MachineType::versionedName)
                .toList();
        List<String> models = cpuModels(automatic);
        return new HostAnswer(
                name,
                Release.text(),
                kernel(),
                fitting(installation.features().version(), WireLimits.MAX_TEXT_BYTES),
                processor(),
                automatic.key(),
                machines,
                models,
                admissibleBytes(room),
                time.wallMillis());
    }

    private synchronized List<String> cpuModels(Accelerator automatic) {
        List<String> known = cpuModels;
        if (known != null) {
            return known;
        }
        cpuModels = List.of();
        try {
            List<String> models = installation.cpuModels(automatic).stream()
                    .filter(model -> model.length() <= WireLimits.MAX_MODEL_BYTES)
                    .limit(WireLimits.MAX_CPU_MODELS)
                    .toList();
            cpuModels = models;
            return models;
        } catch (QemuException e) {
            LOG.warn("which CPU models run here can't be told: {}", e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return List.of();
    }

    /** What the other host asks for is a backup. */
    private static long admissibleBytes(Room room) {
        try {
            return room.read().largestStandbyBytes();
        } catch (IOException e) {
            LOG.warn("how much memory is free can't be told: {}", e.toString());
            return 0;
        }
    }

    private static String kernel() {
        return fitting(System.getProperty("os.version", UNKNOWN), WireLimits.MAX_TEXT_BYTES);
    }

    /** Of the first processor (proc(5), /proc/cpuinfo); all of a host are alike. */
    private static String processor() {
        try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
            String model = lines.filter(line -> line.startsWith("model name"))
                    .map(line -> line.substring(line.indexOf(':') + 1).strip())
                    .findFirst()
                    .orElse(UNKNOWN);
            return fitting(model, WireLimits.MAX_TEXT_BYTES);
        } catch (IOException e) {
            return UNKNOWN;
        }
    }

    private static String fitting(String text, int limitBytes) {
        return text.getBytes(StandardCharsets.UTF_8).length <= limitBytes ? text : UNKNOWN;
    }
}
