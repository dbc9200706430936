package remus.host;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import remus.api.CompressMode;
import remus.api.Json;
import remus.api.StandbyMode;
import remus.api.WhenAlone;
import remus.base.ByteSize;
import remus.base.HostAddress;
import remus.checkpoint.DiskForwarding;
import remus.checkpoint.EpochLengths;
import remus.disk.ImageWitness;
import remus.qemu.Accelerator;
import remus.qemu.MachineType;
import remus.qemu.VmDefinition;
import remus.wire.Digest;
import remus.wire.Hello;
import remus.wire.HelloFile;
import remus.wire.WireLimits;

/**
 * A VM definition as it travels to the backup: all that both sides have in common, and so no path but those of images
 * that both see. The kernel
 * and the initrd go beside it as files named {@link #KERNEL} and {@link #INITRD}.
 *
 * @param bootCmdline null for a VM that boots from disk
 * @param disks their names
 * @param hasConsole whether the serial console is written to a file
 * @param protection how whoever takes the VM over is to protect it
 */
record SharedDefinition(
        String name,
        MachineType machine,
        int cpus,
        long memoryBytes,
        Accelerator accelerator,
        String cpu,
        @Nullable String bootCmdline,
        List<String> disks,
        List<VmDefinition.Nic> nics,
        boolean hasConsole,
        Protection protection) {
    /**
     * What of the protection's settings is not in the hello.
     *
     * @param backups names of hosts or replication addresses, the first one preferred
     * @param maxPauseShare in percent
     * @param syncRateBytes 0: no limit
     * @param standby what is to wait on the backup
     * @param compress whether pages are coded
     * @param moving the VM is to go on there for good; null: it is to be protected
     */
    record Protection(
            List<String> backups,
            WhenAlone whenAlone,
            boolean outputCommit,
            int maxPauseShare,
            long syncRateBytes,
            StandbyMode standby,
            CompressMode compress,
            @Nullable Moving moving) {
        /** @throws IllegalArgumentException for more, or longer ones, than a definition or a host's command can name */
        Protection {
            backups = List.copyOf(backups);
            Objects.requireNonNull(whenAlone, "whenAlone");
            Objects.requireNonNull(standby, "standby");
            Objects.requireNonNull(compress, "compress");
            if (backups.size() > ProtectionSettings.MAX_CANDIDATES
                    || backups.stream().anyMatch(name -> name.isEmpty() || name.length() > WireLimits.MAX_TEXT_BYTES)) {
                throw new IllegalArgumentException("no hosts that could be backups: " + backups);
            }
            if (maxPauseShare < 0 || maxPauseShare > EpochLengths.MAX_PAUSE_SHARE_PERCENT) {
                throw new IllegalArgumentException("no share: " + maxPauseShare);
            }
            if (syncRateBytes < 0) {
                throw new IllegalArgumentException("no rate: " + syncRateBytes);
            }
        }
    }

    /**
     * A VM that moves from one host to another, and what its session has in common with no protection of it: as in {@link
     * ProtectionSettings}, of its protection from then on.
     *
     * @param isProtected whether it is to have a backup there, as it had
     * @param images of all its disks, which both hosts see; null: they are copied
     */
    record Moving(
            boolean isProtected,
            long intervalNanos,
            long detectNanos,
            int verifyEvery,
            @Nullable List<SharedImage> images) {
        /** @throws IllegalArgumentException for values that no definition could have */
        Moving {
            ProtectionSettings.check(Duration.ofNanos(intervalNanos), Duration.ofNanos(detectNanos), (key, problem) -> {
                throw new IllegalArgumentException(key + ": " + problem);
            });
            if (verifyEvery < 0) {
                throw new IllegalArgumentException("verifyEvery: " + verifyEvery);
            }
            if (images != null) {
                images = List.copyOf(images);
                if (images.size() > DiskForwarding.MAX_DISKS) {
                    throw new IllegalArgumentException("%d images are shared".formatted(images.size()));
                }
            }
        }
    }

    /**
     * An image that both hosts see under the same path.
     *
     * @param disk its name in the definition
     * @param path absolute
     * @param witness by which the destination finds out that it is the same
     */
    record SharedImage(String disk, String path, ImageWitness.Token witness) {
        /** @throws IllegalArgumentException for a path that means another place on each host */
        SharedImage {
            Objects.requireNonNull(disk, "disk");
            Objects.requireNonNull(witness, "witness");
            if (path.length() > MAX_PATH_CHARACTERS || !Path.of(path).isAbsolute()) {
                throw new IllegalArgumentException("no absolute path: " + path);
            }
        }
    }

    /** PATH_MAX, limits.h. */
    private static final int MAX_PATH_CHARACTERS = 4096;

    static final String KERNEL = "kernel";
    static final String INITRD = "initrd";

    /**
     * @throws IllegalArgumentException for a name that would bring options of its own into QEMU's command line
     * @throws NullPointerException for a value that is missing: JSON's are not checked by anybody else
     */
    SharedDefinition {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(machine, "machine");
        Objects.requireNonNull(accelerator, "accelerator");
        Objects.requireNonNull(cpu, "cpu");
        Objects.requireNonNull(protection, "protection");
        disks = List.copyOf(disks);
        nics = List.copyOf(nics);
        for (String disk : disks) {
            if (!VmDefinition.Disk.NAME.matcher(disk).matches()) {
                throw new IllegalArgumentException("no disk: " + disk);
            }
        }
        if (Set.copyOf(disks).size() < disks.size()) {
            throw new IllegalArgumentException("two disks of one name: " + disks);
        }
        for (VmDefinition.Nic nic : nics) {
            if (!VmDefinition.Nic.MAC.matcher(nic.mac()).matches()
                    || !VmDefinition.Nic.BRIDGE.matcher(nic.bridge()).matches()) {
                throw new IllegalArgumentException("no network interface: " + nic);
            }
        }
    }

    static SharedDefinition of(VmDefinition definition, ProtectionSettings protection, @Nullable Moving moving) {
        VmDefinition.Boot boot = definition.boot();
        return new SharedDefinition(
                definition.name(),
                definition.machine(),
                definition.cpus(),
                definition.memory().bytes(),
                definition.accelerator(),
                definition.cpu(),
                boot == null ? null : boot.cmdline(),
                definition.disks().stream().map(VmDefinition.Disk::name).toList(),
                definition.nics(),
                definition.console() != null,
                new Protection(
                        protection.backups(),
                        protection.whenAlone(),
                        protection.outputCommit(),
                        protection.maxPauseShare(),
                        protection.syncRate().bytes(),
                        protection.standby(),
                        protection.compress(),
                        moving));
    }

    /** What waits there: a VM that moves is not to wait for a QEMU. */
    StandbyMode standby() {
        return protection.moving() == null ? protection.standby() : StandbyMode.WARM;
    }

    /** Whether it moves between two hosts that see the same images. */
    boolean sharesDisks() {
        return protection.moving() != null && protection.moving().images() != null;
    }

    /** The image of a disk that both hosts see; null: none. */
    @Nullable
    SharedImage sharedImage(String disk) {
        Moving moving = protection.moving();
        List<SharedImage> images = moving == null ? null : moving.images();
        return images == null
                ? null
                : images.stream()
                        .filter(image -> image.disk().equals(disk))
                        .findFirst()
                        .orElse(null);
    }

    /**
     * How whoever takes the VM over is to protect it: as its primary did, and by that host, too; one that has moved there
     * without a protection has none.
     *
     * @param primary where that host listens
     * @param isHandedOver whether the roles are exchanged on purpose: then that host is wanted before any other
     */
    ProtectionSettings protectionAfter(Hello hello, HostAddress primary, boolean isHandedOver) {
        Moving moving = protection.moving();
        ProtectionSettings before = new ProtectionSettings(
                protection.backups(),
                moving == null ? hello.interval() : Duration.ofNanos(moving.intervalNanos()),
                protection.maxPauseShare(),
                moving == null ? hello.detect() : Duration.ofNanos(moving.detectNanos()),
                protection.whenAlone(),
                protection.outputCommit(),
                moving == null ? hello.verifyEvery() : moving.verifyEvery(),
                new ByteSize(protection.syncRateBytes()),
                protection.standby(),
                protection.compress());
        if (moving != null) {
            return moving.isProtected() ? before.withLast(primary.toString()) : before.withCandidates(List.of());
        }
        return isHandedOver ? before.withFirst(primary.toString()) : before.withLast(primary.toString());
    }

    byte[] encode() {
        return Json.write(this).getBytes(StandardCharsets.UTF_8);
    }

    /** @throws IllegalArgumentException when the bytes are no such definition */
    static SharedDefinition decode(byte[] bytes) {
        return Json.readStrictly(new String(bytes, StandardCharsets.UTF_8), SharedDefinition.class);
    }

    /** The files that a definition needs, by the names they travel under. */
    static Map<String, Path> files(VmDefinition definition) {
        VmDefinition.Boot boot = definition.boot();
        if (boot == null) {
            return Map.of();
        }
        Path initrd = boot.initrd();
        return initrd == null ? Map.of(KERNEL, boot.kernel()) : Map.of(KERNEL, boot.kernel(), INITRD, initrd);
    }

    /** Size and digest of each of those files. */
    static List<HelloFile> describe(Map<String, Path> files) throws IOException {
        List<HelloFile> described = new ArrayList<>();
        for (Map.Entry<String, Path> file : files.entrySet()) {
            described.add(new HelloFile(file.getKey(), Files.size(file.getValue()), sha256(file.getValue())));
        }
        return described;
    }

    static Digest sha256(Path file) throws IOException {
        try (DigestInputStream in =
                new DigestInputStream(Files.newInputStream(file), MessageDigest.getInstance("SHA-256"))) {
            in.transferTo(OutputStream.nullOutputStream());
            return Digest.of(in.getMessageDigest().digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }

    /**
     * The definition on this host, with its own paths.
     *
     * @param image where a disk's image is here, by its name
     */
    VmDefinition at(@Nullable Path kernel, @Nullable Path initrd, Function<String, Path> image, Path console) {
        VmDefinition.Boot boot =
                bootCmdline == null || kernel == null ? null : new VmDefinition.Boot(kernel, initrd, bootCmdline);
        return new VmDefinition(
                name,
                machine,
                cpus,
                new ByteSize(memoryBytes),
                accelerator,
                cpu,
                boot,
                disks.stream()
                        .map(disk -> new VmDefinition.Disk(disk, image.apply(disk)))
                        .toList(),
                nics,
                hasConsole ? console : null);
    }
}
