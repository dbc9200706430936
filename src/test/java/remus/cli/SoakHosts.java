package remus.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import remus.api.StandbyMode;
import remus.api.StartRequest;
import remus.api.VmRole;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.base.CloseStack;
import remus.base.RemusException;
import remus.cli.DemoTopology.Place;
import remus.qemu.MachineType;

/**
 * Three hosts with an arbiter, in network namespaces, and three VMs of which each host runs one at first and may have any
 * later: one with a disk, one with a cold standby. Used by one thread.
 */
final class SoakHosts implements AutoCloseable {
    static final Duration DETECT = Duration.ofSeconds(2);

    /** For all VMs to be protected again, whatever has happened; on a busy machine most of it is starting JVMs. */
    private static final Duration PROTECTED_LIMIT = Duration.ofMinutes(3);

    private static final Duration BOOT_LIMIT = Duration.ofMinutes(2);
    private static final Duration END_LIMIT = Duration.ofMinutes(1);
    private static final Duration POLL = Duration.ofMillis(100);
    private static final Duration REQUEST_EVERY = Duration.ofMillis(20);
    private static final List<Place> PLACES = List.of(Place.ALPHA, Place.BETA, Place.GAMMA);
    private static final String PEERS = "alpha=10.77.0.11:7420,beta=10.77.0.12:7420,gamma=10.77.0.13:7420";
    private static final String MEMORY = "128MiB";

    private final CloseStack owned = new CloseStack();
    private final DemoTopology topology;
    private final Path directory;
    private final List<DemoHost> hosts = new ArrayList<>();
    private final List<SoakVm> vms = new ArrayList<>();
    private final List<ClientLoad> loads = new ArrayList<>();

    /** Where a VM runs, and who backs it up. */
    record Pair(DemoHost primary, DemoHost backup) {}

    private SoakHosts(Path directory, DemoTopology topology) {
        this.directory = directory;
        this.topology = topology;
    }

    /** Starts the hosts; none has a VM yet. */
    static SoakHosts open(Path directory) throws Exception {
        try (CloseStack onFailure = new CloseStack()) {
            DemoTopology topology = onFailure.push(DemoTopology.create());
            SoakHosts opened = new SoakHosts(directory, topology);
            onFailure.release();
            opened.owned.push(topology);
            onFailure.push(opened);
            opened.startHosts();
            onFailure.release();
            return opened;
        }
    }

    private void startHosts() throws Exception {
        NamespaceThread inside = owned.push(new NamespaceThread(topology.namespaceFile(Place.CLIENT)));
        ArbiterServers servers = owned.push(new ArbiterServers(topology, directory));
        List<String> jvmOptions = Stream.concat(
                        Stream.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m"),
                        HostCensus.DAEMON_OPTIONS.stream())
                .toList();
        for (Place place : PLACES) {
            DemoHost host = owned.push(new DemoHost(
                    topology,
                    place,
                    inside,
                    directory,
                    TestInstallation.with(jvmOptions),
                    List.of("--arbiter", servers.option(), "--peers", PEERS)));
            hosts.add(host);
            host.start();
        }
        for (DemoHost host : hosts) {
            host.awaitUp();
        }
    }

    /** Boots the VMs, has them protected and connects a client to each. */
    void startVms(long seed) throws Exception {
        DemoGuest guest = DemoGuest.make();
        try (NamespaceThread inside = new NamespaceThread(topology.namespaceFile(Place.CLIENT))) {
            for (int number = 1; number <= PLACES.size(); number++) {
                vms.add(boot(guest, number));
            }
            for (SoakVm vm : vms) {
                DemoGuest.awaitRedis(vm.vm(), inside, BOOT_LIMIT);
                loads.add(owned.push(DemoGuest.connect(vm.vm(), inside, seed, REQUEST_EVERY)));
            }
        }
        awaitAllProtected();
    }

    private SoakVm boot(DemoGuest guest, int number) throws RemusException, IOException {
        List<DemoHost> order = new ArrayList<>(hosts.subList(number - 1, hosts.size()));
        order.addAll(hosts.subList(0, number - 1));
        SoakVm vm = new SoakVm(
                DemoVm.numbered(number),
                number == 2 ? StandbyMode.COLD : StandbyMode.WARM,
                List.copyOf(order),
                number == 1 ? SoakVm.makeDisk(directory.resolve("numbers.raw")) : null);
        String definition = guest.definition(vm.vm(), MachineType.Q35, MEMORY, vm.work())
                + vm.disks()
                + "protection: {backups: [%s, %s], interval: 100ms, detect: %ds, standby: %s}%n"
                        .formatted(order.get(1).name(), order.get(2).name(), DETECT.toSeconds(), vm.standby());
        order.getFirst().post("/api/v1/vms", new StartRequest(definition, directory.toString(), null));
        return vm;
    }

    List<DemoHost> hosts() {
        return List.copyOf(hosts);
    }

    List<SoakVm> vms() {
        return List.copyOf(vms);
    }

    /** The clients, in the order of the VMs. */
    List<ClientLoad> loads() {
        return List.copyOf(loads);
    }

    void unplug(DemoHost host) throws CommandException {
        topology.pullCable(host.place());
    }

    void plug(DemoHost host) throws CommandException {
        topology.plugCable(host.place());
    }

    /** Processes of all VMs on a host. */
    static List<Long> qemusOn(DemoHost host) throws RemusException {
        return host.status().vms().stream()
                .map(VmStatus::qemuPid)
                .flatMap(Stream::ofNullable)
                .toList();
    }

    // ---- what is waited for

    /** Waits until each VM is protected, and each client has been answered since. */
    void awaitAllProtected() throws RemusException, InterruptedException {
        for (SoakVm vm : vms) {
            awaitPairOf(vm);
        }
        long since = System.nanoTime();
        long deadline = since + PROTECTED_LIMIT.toNanos();
        for (int number = 0; number < loads.size(); number++) {
            do {
                check(
                        deadline,
                        "the client of %s gets no answer"
                                .formatted(vms.get(number).name()));
            } while (!loads.get(number).answers().isAnsweredSince(since));
        }
    }

    private void check(long deadline, String problem) throws RemusException, InterruptedException {
        for (int number = 0; number < loads.size(); number++) {
            ClientLoad load = loads.get(number);
            if (!load.isRunning() || load.figures().problem() != null) {
                throw new CommandException(
                        "the client of %s: %s".formatted(vms.get(number).name(), load.figures()));
            }
        }
        pause(deadline, problem + " within %d s".formatted(PROTECTED_LIMIT.toSeconds()));
    }

    private static void pause(long deadline, String problem) throws CommandException, InterruptedException {
        if (System.nanoTime() - deadline > 0) {
            throw new CommandException(problem);
        }
        TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
    }

    /** Who has the VM, where one host runs it protected and the one that it names stands by; else null. */
    @Nullable
    Pair pairOf(SoakVm vm) {
        DemoHost primary = null;
        DemoHost backup = null;
        String peer = null;
        for (DemoHost host : hosts) {
            VmStatus status = statusOn(host, vm);
            if (status == null) {
                continue;
            }
            if (status.role() == VmRole.PRIMARY && status.state() == VmState.PROTECTED) {
                primary = host;
                peer = status.peer();
            } else if (status.role() == VmRole.BACKUP && status.state() == VmState.STANDBY) {
                backup = host;
            }
        }
        return primary != null
                        && backup != null
                        && backup.replicationAddress().toString().equals(peer)
                ? new Pair(primary, backup)
                : null;
    }

    /** Null where the host does not have it, or does not answer now. */
    private static @Nullable VmStatus statusOn(DemoHost host, SoakVm vm) {
        try {
            return host.status().vms().stream()
                    .filter(status -> status.name().equals(vm.name()))
                    .findFirst()
                    .orElse(null);
        } catch (RemusException e) {
            return null;
        }
    }

    /** Waits until the VM is protected, which it may not be at every moment on a busy machine. */
    Pair awaitPairOf(SoakVm vm) throws RemusException, InterruptedException {
        long deadline = System.nanoTime() + PROTECTED_LIMIT.toNanos();
        while (true) {
            Pair pair = pairOf(vm);
            if (pair != null) {
                return pair;
            }
            check(deadline, vm.name() + " is not protected");
        }
    }

    /**
     * Ends the clients, which read back all that they have ever written, and the VMs, which are not protected any more then, so
     * that answers come at once. Afterwards no host has a VM.
     *
     * @return what is wrong with clients and disks
     */
    List<String> end() throws RemusException, InterruptedException, IOException {
        Map<SoakVm, DemoHost> places = new LinkedHashMap<>();
        for (SoakVm vm : vms) {
            DemoHost place = awaitPairOf(vm).primary();
            place.post(VmPath.verb(vm.name(), "unprotect"));
            places.put(vm, place);
        }
        List<String> problems = new ArrayList<>();
        for (ClientLoad load : loads) {
            String problem = load.finish().problem();
            if (problem != null) {
                problems.add(problem);
            }
        }
        for (Map.Entry<SoakVm, DemoHost> place : places.entrySet()) {
            place.getValue().post(VmPath.verb(place.getKey().name(), "stop"));
            String problem = place.getKey().problemOnDisk(place.getValue());
            if (problem != null) {
                problems.add(problem);
            }
        }
        long deadline = System.nanoTime() + END_LIMIT.toNanos();
        for (DemoHost host : hosts) {
            while (host.status().vms().stream().anyMatch(vm -> vm.qemuPid() != null || vm.role() == VmRole.BACKUP)) {
                pause(deadline, "VMs of %s do not end: %s".formatted(host.name(), host.status()));
            }
        }
        return problems;
    }

    /** What hosts and clients say now, for whoever has to find out. */
    String state() {
        StringBuilder text = new StringBuilder();
        for (DemoHost host : hosts) {
            try {
                for (VmStatus vm : host.status().vms()) {
                    text.append("%s: %s %s %s, term %d, epoch %d: %s%n"
                            .formatted(
                                    host.name(), vm.name(), vm.role(), vm.state(), vm.term(), vm.epoch(), vm.reason()));
                }
            } catch (RemusException e) {
                text.append("%s: %s%n".formatted(host.name(), e.getMessage()));
            }
        }
        loads.forEach(load -> text.append(load.figures()).append(System.lineSeparator()));
        return text.toString();
    }

    @Override
    public void close() {
        owned.close();
    }
}
