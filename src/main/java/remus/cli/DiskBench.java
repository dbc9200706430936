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
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import remus.api.CheckpointStatus;
import remus.api.StartRequest;
import remus.base.RemusException;
import remus.bench.BenchException;
import remus.bench.BenchMachine;
import remus.bench.BenchReport;
import remus.bench.DiskCase;
import remus.bench.DiskGuestImage;
import remus.bench.DiskSettings;
import remus.bench.DiskTally;
import remus.bench.DiskTally.Setting;
import remus.bench.DiskWorkload;
import remus.bench.Epochs;
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
final class DiskBench {
    private static final String NAME = "disk";
    private static final String VM = "bench";
    private static final String DATA = "data";
    private static final String ROOT = "root";

    /** The longest turn of the round before all others, which does not count. */
    private static final Duration WARM_UP = Duration.ofSeconds(5);

    private static final Duration BOOT_LIMIT = Duration.ofMinutes(5);
    private static final Duration ANSWER_LIMIT = Duration.ofSeconds(20);
    private static final Duration POLL = Duration.ofMillis(200);

    private final DiskSettings settings;
    private final Consumer<String> progress;
    private final StopSignal stop;
    private final DiskTally tally;

    private DiskBench(DiskSettings settings, Consumer<String> progress, StopSignal stop) {
        this.settings = settings;
        this.progress = progress;
        this.stop = stop;
        tally = new DiskTally(settings);
    }

    /** @param progress is told what goes on, for people */
    static BenchReport<DiskCase> run(DiskSettings settings, Consumer<String> progress) throws BenchException {
        return StopSignal.during(
                "the disks could not be measured", stop -> new DiskBench(settings, progress, stop).measureAll());
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
    private record Running(BenchHosts hosts, List<PlainVm> withoutRemus, BenchProtection protection) {
        Socket control(Guest guest) throws RemusException {
            return hosts.inside().connect(DiskGuestImage.addressOfMac(guest.mac), DiskGuestImage.CONTROL_PORT);
        }

        Path directory() {
            return hosts.directory();
        }

        BenchConsole console(Guest guest) {
            return new BenchConsole(directory().resolve(guest.key + ".log"));
        }
    }

    private BenchReport<DiskCase> measureAll() throws RemusException, InterruptedException {
        QemuInstallation installation = QemuInstallation.probe();
        BenchMachine machine = BenchMachine.read(installation, settings.accelerator());
        progress.accept("guest image");
        Path cached = DiskGuestImage.make().disk();
        try (BenchHosts hosts = new BenchHosts(NAME, settings.directory())) {
            Running running = start(hosts, cached, installation);
            awaitReady(running);
            for (int round = 0; round <= settings.rounds(); round++) {
                measureRound(running, round);
            }
        }
        return new BenchReport<>(NAME, LocalDate.now(ZoneId.systemDefault()).toString(), machine, tally.cases());
    }

    private void measureRound(Running running, int round) throws RemusException, InterruptedException {
        List<Setting> inTurn = List.of(Setting.values());
        // To and fro, so that a machine that gets slower or faster all the time does so for all.
        for (Setting setting : round % 2 == 0 ? inTurn.reversed() : inTurn) {
            for (DiskWorkload workload : DiskWorkload.values()) {
                turn(running, setting, workload, round);
            }
        }
    }

    // ---- what is measured

    private void turn(Running running, Setting setting, DiskWorkload workload, int round)
            throws RemusException, InterruptedException {
        String what = (round == 0 ? "warm-up" : "round %d of %d".formatted(round, settings.rounds()))
                + ", %s, %s: ".formatted(setting.key(), workload.key());
        Duration duration = round == 0 && settings.perTurn().compareTo(WARM_UP) > 0 ? WARM_UP : settings.perTurn();
        if (setting == Setting.PROTECTED) {
            running.protection().begin(Epochs.fixed(settings.interval()), reason -> progress.accept(what + reason));
        }
        settle(running.directory());
        progress.accept(what + "%d s".formatted(duration.toSeconds()));
        double rate = new FioTurn(() -> running.control(Guest.of(setting)), stop, FioTurn.SILENCE_LIMIT)
                .measure(workload, duration);
        CheckpointStatus checkpoints =
                setting == Setting.PROTECTED ? running.protection().end() : null;
        if (round > 0) {
            tally.add(setting, workload, new DiskTally.Turn(rate, checkpoints));
        }
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

    private Running start(BenchHosts hosts, Path cached, QemuInstallation installation)
            throws RemusException, InterruptedException {
        Path directory = hosts.directory();
        progress.accept("images");
        for (Guest guest : Guest.values()) {
            makeDirectory(directory.resolve(guest.key));
            DiskGuestImage.copy(cached, image(directory, guest, ROOT));
            fill(image(directory, guest, DATA));
        }
        progress.accept("hosts");
        hosts.start();
        progress.accept("booting the guests");
        hosts.alpha().post("/api/v1/vms", new StartRequest(yaml(directory), directory.toString(), null));
        PlainVm.Plug plug =
                new PlainVm.Plug(hosts.topology().namespaceFile(DemoTopology.Place.CLIENT), DemoTopology.SWITCH);
        List<PlainVm> withoutRemus = List.of(
                hosts.own(PlainVm.boot(installation, definition(directory, Guest.PLAIN), PlainVm.DiskPath.FILES, plug)),
                hosts.own(PlainVm.boot(
                        installation, definition(directory, Guest.QEMU_NBD), PlainVm.DiskPath.QEMU_NBD, plug)));
        return new Running(hosts, withoutRemus, new BenchProtection(hosts, VM));
    }

    private static void makeDirectory(Path directory) throws CommandException {
        try {
            Files.createDirectory(directory);
        } catch (IOException e) {
            throw new CommandException("%s can't be made: %s".formatted(directory, e.getMessage()), e);
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
                                    .formatted(
                                            guest.key,
                                            BOOT_LIMIT.toSeconds(),
                                            running.console(guest).lastLine()));
                }
                TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
            }
        }
    }

    /** Its database is up, so that it is idle from now on, and it takes commands. */
    private static boolean isReady(Running running, Guest guest) throws RemusException {
        if (!running.console(guest).text().contains(DiskGuestImage.READY)) {
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
}
