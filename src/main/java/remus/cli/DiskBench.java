package remus.cli;

import java.io.IOException;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import remus.api.CheckpointStatus;
import remus.api.ProtectRequest;
import remus.api.StartRequest;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.api.WhenAlone;
import remus.base.CloseStack;
import remus.base.DurationText;
import remus.base.RemusException;
import remus.bench.BenchMachine;
import remus.bench.BenchReport;
import remus.bench.DiskCase;
import remus.bench.DiskGuestImage;
import remus.bench.DiskSettings;
import remus.bench.DiskTally;
import remus.bench.DiskTally.Setting;
import remus.bench.DiskWorkload;
import remus.bench.PlainVm;
import remus.bench.StopSignal;
import remus.qemu.Accelerator;
import remus.qemu.MachineType;
import remus.qemu.QemuInstallation;
import remus.qemu.VmDefinition;

/**
 * Measures how fast a guest writes to its disk: through QEMU alone, through QEMU's NBD server, through ours, and with a
 * backup on the same machine. Three guests of the same definition run side by side, one on plain image files, one on
 * QEMU's NBD server, the third on a host of the demo's, that protects it by the other host for its turns; one of them
 * writes at a time. Everything ours is real: two
 * daemons in network namespaces.
 *
 * <p>Confined to the thread that calls {@link #run}; what was made is gone when that ends, however it ends.
 */
final class DiskBench implements AutoCloseable {
    private static final String NAME = "disk";
    private static final String VM = "bench";
    private static final String DATA = "data";
    private static final String ROOT = "root";

    /** The longest turn of the round before all others, which does not count. */
    private static final Duration WARM_UP = Duration.ofSeconds(5);

    /** No failure is awaited here; a busy machine must not be taken for one. */
    private static final Duration DETECT = Duration.ofSeconds(5);

    private static final Duration BOOT_LIMIT = Duration.ofMinutes(5);
    private static final Duration PROTECT_LIMIT = Duration.ofMinutes(5);
    private static final Duration ANSWER_LIMIT = Duration.ofSeconds(20);
    private static final Duration POLL = Duration.ofMillis(200);

    private final DiskSettings settings;
    private final Consumer<String> progress;
    private final StopSignal stop;
    private final CloseStack owned = new CloseStack();
    private final DiskTally tally;

    private DiskBench(DiskSettings settings, Consumer<String> progress, StopSignal stop) {
        this.settings = settings;
        this.progress = progress;
        this.stop = stop;
        tally = new DiskTally(settings);
    }

    /** @param progress is told what goes on, for people */
    static BenchReport<DiskCase> run(DiskSettings settings, Consumer<String> progress) throws RemusException {
        try (StopSignal stop = StopSignal.install()) {
            try (DiskBench bench = new DiskBench(settings, progress, stop)) {
                return bench.measureAll();
            } catch (InterruptedException e) {
                stop.check();
                Thread.currentThread().interrupt();
                throw new CommandException("the bench was interrupted", e);
            } catch (RemusException e) {
                stop.check();
                throw e;
            }
        }
    }

    /** The guests that run side by side. */
    private enum Guest {
        OURS("ours", "52:54:00:4d:00:02"),
        PLAIN("plain", "52:54:00:4d:00:03"),
        QEMU_NBD("qemu-nbd", "52:54:00:4d:00:04");

        final String key;
        final String mac;

        Guest(String key, String mac) {
            this.key = key;
            this.mac = mac;
        }

        static Guest of(Setting setting) {
            return switch (setting) {
                case PLAIN -> PLAIN;
                case QEMU_NBD -> QEMU_NBD;
                case UNPROTECTED, PROTECTED -> OURS;
            };
        }
    }

    /** What runs, in one place. */
    private record Running(
            DemoHost alpha, DemoHost beta, List<PlainVm> withoutRemus, NamespaceThread inside, Path directory) {
        Socket control(Guest guest) throws RemusException {
            return inside.connect(DiskGuestImage.addressOfMac(guest.mac), DiskGuestImage.CONTROL_PORT);
        }
    }

    private BenchReport<DiskCase> measureAll() throws RemusException, InterruptedException {
        QemuInstallation installation = QemuInstallation.probe();
        BenchMachine machine = BenchMachine.read(installation, settings.accelerator());
        Running running = start(installation);
        awaitReady(running);
        for (int round = 0; round <= settings.rounds(); round++) {
            List<Setting> inTurn = new ArrayList<>(List.of(Setting.values()));
            // To and fro, so that a machine that gets slower or faster all the time does so for all.
            for (Setting setting : round % 2 == 0 ? inTurn.reversed() : inTurn) {
                for (DiskWorkload workload : DiskWorkload.values()) {
                    turn(running, setting, workload, round);
                }
            }
        }
        return new BenchReport<>(NAME, LocalDate.now(ZoneId.systemDefault()).toString(), machine, tally.cases());
    }

    // ---- what is measured

    private void turn(Running running, Setting setting, DiskWorkload workload, int round)
            throws RemusException, InterruptedException {
        String what = (round == 0 ? "warm-up" : "round %d of %d".formatted(round, settings.rounds()))
                + ", %s, %s: ".formatted(setting.key(), workload.key());
        Duration duration = round == 0 && settings.perTurn().compareTo(WARM_UP) > 0 ? WARM_UP : settings.perTurn();
        if (setting == Setting.PROTECTED) {
            protect(running, what);
        }
        settle(running.directory());
        progress.accept(what + "%d s".formatted(duration.toSeconds()));
        double rate = new FioTurn(() -> running.control(Guest.of(setting)), stop, FioTurn.SILENCE_LIMIT)
                .measure(workload, duration);
        CheckpointStatus checkpoints = setting == Setting.PROTECTED ? unprotect(running) : null;
        if (round > 0) {
            tally.add(setting, workload, new DiskTally.Turn(rate, checkpoints));
        }
    }

    private void protect(Running running, String what) throws RemusException, InterruptedException {
        ProtectRequest request = new ProtectRequest(
                running.beta().replicationAddress().toString(),
                DurationText.format(settings.interval()),
                null,
                DurationText.format(DETECT),
                null,
                null,
                WhenAlone.HOLD,
                null,
                null,
                null);
        running.alpha().post(VmPath.verb(VM, "protect"), request);
        running.alpha()
                .await(
                        VM,
                        status -> {
                            progress.accept(what + (status.reason() == null ? "synchronizing" : status.reason()));
                            return status.state() == VmState.PROTECTED;
                        },
                        PROTECT_LIMIT,
                        "protected");
    }

    /** Ends the session; what its checkpoints were like. */
    private static CheckpointStatus unprotect(Running running) throws RemusException, InterruptedException {
        VmStatus status = running.alpha().status(VM);
        if (status.state() != VmState.PROTECTED) {
            throw new CommandException("the VM has lost its protection in the middle of the bench: it is %s: %s"
                    .formatted(status.state(), status.reason()));
        }
        running.alpha().post(VmPath.verb(VM, "unprotect"));
        running.alpha().await(VM, now -> now.state() == VmState.UNPROTECTED, ANSWER_LIMIT, "unprotected");
        long deadline = System.nanoTime() + ANSWER_LIMIT.toNanos();
        while (!running.beta().status().vms().isEmpty() && System.nanoTime() - deadline < 0) {
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
        }
        return status.checkpoint();
    }

    /** Nobody's turn begins with what another one has left to be written to the host's disk. */
    private static void settle(Path directory) throws CommandException {
        try {
            Files.walkFileTree(directory, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                    if (file.toString().endsWith(".raw")) {
                        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                            channel.force(false);
                        } catch (NoSuchFileException e) {
                            return visitFileFailed(file, e);
                        }
                    }
                    return FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult visitFileFailed(Path file, IOException failure) throws IOException {
                    // The hosts live: a file that one of them replaces may be gone between its name and a look at it.
                    if (failure instanceof NoSuchFileException) {
                        return FileVisitResult.CONTINUE;
                    }
                    throw failure;
                }
            });
        } catch (IOException e) {
            throw new CommandException("the images can't be written to their disk: " + e.getMessage(), e);
        }
    }

    // ---- what it takes

    private Running start(QemuInstallation installation) throws RemusException, InterruptedException {
        progress.accept("guest image");
        Path cached = DiskGuestImage.make().disk();
        Path directory = makeDirectory();
        progress.accept("images");
        for (Guest guest : Guest.values()) {
            DiskGuestImage.copy(cached, image(directory, guest, ROOT));
            fill(image(directory, guest, DATA));
        }
        progress.accept("hosts");
        DemoTopology topology = owned.push(DemoTopology.create());
        Path client = topology.namespaceFile(DemoTopology.Place.CLIENT);
        NamespaceThread inside = owned.push(new NamespaceThread(client));
        DemoHost alpha = host(topology, DemoTopology.Place.ALPHA, inside, directory);
        DemoHost beta = host(topology, DemoTopology.Place.BETA, inside, directory);
        alpha.awaitUp();
        beta.awaitUp();
        progress.accept("booting the guests");
        alpha.post("/api/v1/vms", new StartRequest(yaml(directory), directory.toString(), null));
        PlainVm.Plug plug = new PlainVm.Plug(client, DemoTopology.SWITCH);
        List<PlainVm> withoutRemus = List.of(
                owned.push(
                        PlainVm.boot(installation, definition(directory, Guest.PLAIN), PlainVm.DiskPath.FILES, plug)),
                owned.push(PlainVm.boot(
                        installation, definition(directory, Guest.QEMU_NBD), PlainVm.DiskPath.QEMU_NBD, plug)));
        return new Running(alpha, beta, withoutRemus, inside, directory);
    }

    private DemoHost host(DemoTopology topology, DemoTopology.Place place, NamespaceThread inside, Path directory)
            throws CommandException {
        DemoHost host = owned.push(new DemoHost(topology, place, inside, directory, Installation.own(List.of())));
        host.start();
        return host;
    }

    private Path makeDirectory() throws CommandException {
        try {
            Path directory = Files.createTempDirectory(settings.directory(), "remus-bench-disk-");
            owned.push(() -> {
                try (Stream<Path> files = Files.walk(directory)) {
                    for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                        Files.deleteIfExists(file);
                    }
                }
            });
            for (Guest guest : Guest.values()) {
                Files.createDirectories(directory.resolve(guest.key));
            }
            return directory;
        } catch (IOException e) {
            throw new CommandException(
                    "%s can't hold the images: %s; choose another directory with --directory"
                            .formatted(settings.directory(), e.getMessage()),
                    e);
        }
    }

    private static Path image(Path directory, Guest guest, String disk) {
        return directory.resolve(guest.key).resolve(disk + ".raw");
    }

    /** All of it is written once, so that no case has to find room in the file system; not with zeros, which may stay holes. */
    private void fill(Path image) throws RemusException {
        SplittableRandom random = new SplittableRandom(1);
        byte[] block = new byte[1 << 20];
        try (FileChannel channel = FileChannel.open(image, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            for (long at = 0; at < settings.disk().bytes(); at += block.length) {
                stop.check();
                random.nextBytes(block);
                ByteBuffer rest = ByteBuffer.wrap(block);
                while (rest.hasRemaining()) {
                    channel.write(rest);
                }
            }
        } catch (IOException e) {
            throw new CommandException("%s can't be written: %s".formatted(image, e.getMessage()), e);
        }
    }

    /** Ours, as a user would define it. */
    private String yaml(Path directory) {
        return """
                name: %s
                machine: q35
                cpus: 1
                memory: %dB
                accelerator: %s
                disks: [{name: %s, image: %s}, {name: %s, image: %s}]
                nics: [{mac: "%s", bridge: %s}]
                console: %s.log
                """.formatted(
                        VM,
                        settings.memory().bytes(),
                        settings.accelerator().key(),
                        ROOT,
                        image(directory, Guest.OURS, ROOT),
                        DATA,
                        image(directory, Guest.OURS, DATA),
                        Guest.OURS.mac,
                        DemoTopology.HOST_BRIDGE,
                        Guest.OURS.key);
    }

    /** The same but for names and places. */
    private VmDefinition definition(Path directory, Guest guest) {
        return new VmDefinition(
                VM + "-" + guest.key,
                MachineType.Q35,
                1,
                settings.memory(),
                settings.accelerator(),
                settings.accelerator() == Accelerator.KVM ? "host" : "max",
                null,
                List.of(
                        new VmDefinition.Disk(ROOT, image(directory, guest, ROOT)),
                        new VmDefinition.Disk(DATA, image(directory, guest, DATA))),
                List.of(new VmDefinition.Nic(guest.mac, DemoTopology.SWITCH)),
                directory.resolve(guest.key + ".log"));
    }

    private void awaitReady(Running running) throws RemusException, InterruptedException {
        long deadline = System.nanoTime() + BOOT_LIMIT.toNanos();
        for (Guest guest : Guest.values()) {
            while (!isReady(running, guest)) {
                stop.check();
                for (PlainVm vm : running.withoutRemus()) {
                    vm.requireAlive();
                }
                if (System.nanoTime() - deadline > 0) {
                    throw new CommandException(
                            "the guest on %s disks did not boot within %d s; the last line of its console: %s"
                                    .formatted(guest.key, BOOT_LIMIT.toSeconds(), lastLine(running, guest)));
                }
                TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
            }
        }
    }

    /** Its database is up, so that it is idle from now on, and it takes commands. */
    private static boolean isReady(Running running, Guest guest) throws RemusException {
        if (!console(running, guest).contains(DiskGuestImage.READY)) {
            return false;
        }
        try {
            return GuestControl.run(running.control(guest), "true", ANSWER_LIMIT)
                            .exit()
                    == 0;
        } catch (CommandException | IOException e) {
            return false;
        }
    }

    private static String console(Running running, Guest guest) throws CommandException {
        Path console = running.directory().resolve(guest.key + ".log");
        try {
            return Files.exists(console) ? Files.readString(console, java.nio.charset.StandardCharsets.ISO_8859_1) : "";
        } catch (IOException e) {
            throw new CommandException("the guest's console can't be read: " + e.getMessage(), e);
        }
    }

    private static String lastLine(Running running, Guest guest) throws CommandException {
        @Nullable
        String last = console(running, guest)
                .lines()
                .reduce((first, second) -> second)
                .orElse(null);
        return last == null ? "(none)" : last;
    }

    /** Ends everything in reverse order, also in a thread that was interrupted. */
    @Override
    public void close() {
        boolean interrupted = Thread.interrupted();
        try {
            owned.close();
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
