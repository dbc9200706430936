package remus.wire;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * What a host tells of itself to another one that may become its partner: the payload of HOST_ANSWER.
 *
 * @param host its name
 * @param release of Remus, for people
 * @param kernel release of its running Linux
 * @param qemuVersion as its QEMU says it
 * @param processor name of the processor's model, as the kernel has it
 * @param accelerator what {@code accelerator: auto} stands for there: kvm or tcg
 * @param machines versioned machine types that VMs may have there; at most {@link WireLimits#MAX_MACHINES}
 * @param cpuModels CPU models that run there under {@code accelerator}; at most {@link WireLimits#MAX_CPU_MODELS}
 * @param admissibleBytes memory of the largest VM that it would take now, at least 0
 * @param clockMillis its wall clock when it answered, in milliseconds since 1970
 */
public record HostAnswer(
        String host,
        String release,
        String kernel,
        String qemuVersion,
        String processor,
        String accelerator,
        List<String> machines,
        List<String> cpuModels,
        long admissibleBytes,
        long clockMillis) {
    public HostAnswer {
        machines = checked(machines, WireLimits.MAX_MACHINES);
        cpuModels = checked(cpuModels, WireLimits.MAX_CPU_MODELS);
        if (admissibleBytes < 0 || clockMillis < 0) {
            throw new IllegalArgumentException("admissibleBytes=" + admissibleBytes + " clockMillis=" + clockMillis);
        }
    }

    private static List<String> checked(List<String> names, int limit) {
        if (names.size() > limit) {
            throw new IllegalArgumentException(names.size() + " names are more than " + limit);
        }
        for (String name : names) {
            if (name.getBytes(StandardCharsets.UTF_8).length > WireLimits.MAX_MODEL_BYTES) {
                throw new IllegalArgumentException(
                        "'" + name + "' is longer than " + WireLimits.MAX_MODEL_BYTES + " bytes");
            }
        }
        return List.copyOf(names);
    }

    public void encode(ByteBuffer target) {
        WireText.putName(target, host);
        WireText.putName(target, release);
        WireText.putName(target, kernel);
        WireText.putName(target, qemuVersion);
        WireText.putName(target, processor);
        WireText.putName(target, accelerator);
        WireText.putModels(target, machines);
        WireText.putModels(target, cpuModels);
        target.putLong(admissibleBytes).putLong(clockMillis);
    }

    public static HostAnswer decode(ByteBuffer source) throws WireException {
        String host = WireText.takeName(source, "host name");
        String release = WireText.takeName(source, "release");
        String kernel = WireText.takeName(source, "kernel");
        String qemuVersion = WireText.takeName(source, "QEMU version");
        String processor = WireText.takeName(source, "processor");
        String accelerator = WireText.takeName(source, "accelerator");
        List<String> machines = WireText.takeModels(source, "machine types", WireLimits.MAX_MACHINES);
        List<String> cpuModels = WireText.takeModels(source, "CPU models", WireLimits.MAX_CPU_MODELS);
        long admissibleBytes = Payloads.decodeCount(source, "admissible memory");
        long clockMillis = Payloads.decodeCount(source, "clock");
        WireText.end(source);
        return new HostAnswer(
                host,
                release,
                kernel,
                qemuVersion,
                processor,
                accelerator,
                machines,
                cpuModels,
                admissibleBytes,
                clockMillis);
    }
}
