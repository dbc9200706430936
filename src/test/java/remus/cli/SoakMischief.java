package remus.cli;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import remus.api.VmStatus;
import remus.base.RemusException;

/** Does to the hosts of a soak what a seed says, and puts right again whatever has to be put right by hand. */
final class SoakMischief {
    private static final int MAX_AWAY_MILLIS = 3_000;
    private static final int MAX_PAUSE_MILLIS = 2_000;
    private static final int MIN_BREAK_MILLIS = 200;
    private static final int MAX_BREAK_MILLIS = (int) SoakHosts.DETECT.toMillis() / 2;
    private static final int MIN_CUT_MILLIS = (int) SoakHosts.DETECT.toMillis() + 1_000;
    private static final int MAX_CUT_MILLIS = MIN_CUT_MILLIS + 4_000;

    private final SoakHosts hosts;
    private final Random random;
    private final List<SoakEvent> left = new ArrayList<>();

    SoakMischief(SoakHosts hosts, Random random) {
        this.hosts = hosts;
        this.random = random;
    }

    /** In random order, but each as often as the others. */
    SoakEvent next() {
        if (left.isEmpty()) {
            left.addAll(List.of(SoakEvent.values()));
            Collections.shuffle(left, random);
        }
        return left.removeLast();
    }

    /**
     * What was done.
     *
     * @param what for people
     * @param mayMove VMs that may have gone to another host for that
     */
    record Deed(String what, Set<String> mayMove) {}

    /** All VMs are protected. */
    Deed happen(SoakEvent event) throws RemusException, InterruptedException {
        return switch (event) {
            case HOST_KILLED -> kill(any(hosts.hosts()), KillKind.PROCESS);
            case HOST_LOST -> kill(any(hosts.hosts()), KillKind.POWER);
            case DAEMON_KILLED -> killDaemon(any(hosts.hosts()));
            case DAEMON_RESTARTED -> restart(any(hosts.hosts()));
            case QEMU_KILLED -> {
                SoakVm vm = any(hosts.vms());
                yield killQemu(vm, hosts.awaitPairOf(vm).primary(), Set.of(vm.name()));
            }
            case STANDBY_KILLED -> killStandby();
            case SWITCHED_OVER -> switchOver(any(hosts.vms()));
            case PAUSED -> pause(any(hosts.vms()));
            case LINK_BROKEN -> {
                DemoHost host = any(hosts.hosts());
                yield new Deed(breakLink(host, MIN_BREAK_MILLIS, MAX_BREAK_MILLIS), Set.of());
            }
            case LINK_CUT -> {
                DemoHost host = any(hosts.hosts());
                Set<String> vms = vmsWith(pair -> host.equals(pair.primary()) || host.equals(pair.backup()));
                yield new Deed(breakLink(host, MIN_CUT_MILLIS, MAX_CUT_MILLIS), vms);
            }
        };
    }

    private <T> T any(List<T> all) {
        return all.get(random.nextInt(all.size()));
    }

    /** The moments are what is tried. */
    private static void sleep(int millis) throws InterruptedException {
        TimeUnit.MILLISECONDS.sleep(millis);
    }

    private Set<String> vmsOn(DemoHost host) throws RemusException, InterruptedException {
        return vmsWith(pair -> host.equals(pair.primary()));
    }

    /** Where a link is cut, both sides miss the other: a backup that is back may ask before it hears the primary. */
    private Set<String> vmsWith(Predicate<SoakHosts.Pair> wanted) throws RemusException, InterruptedException {
        Set<String> names = new HashSet<>();
        for (SoakVm vm : hosts.vms()) {
            if (wanted.test(hosts.awaitPairOf(vm))) {
                names.add(vm.name());
            }
        }
        return names;
    }

    private Deed kill(DemoHost host, KillKind kind) throws RemusException, InterruptedException {
        Set<String> vms = vmsOn(host);
        host.die(kind, SoakHosts.qemusOn(host));
        host.awaitDead();
        int away = random.nextInt(MAX_AWAY_MILLIS);
        sleep(away);
        host.revive(kind);
        return new Deed("%s, for %d ms and a start".formatted(host.name(), away), vms);
    }

    private Deed killDaemon(DemoHost host) throws RemusException, InterruptedException {
        Set<String> vms = vmsOn(host);
        host.kill(null);
        host.start();
        host.awaitUp();
        return new Deed(host.name(), vms);
    }

    private Deed restart(DemoHost host) throws RemusException, InterruptedException {
        Set<String> moved = new HashSet<>();
        for (SoakVm vm : hosts.vms()) {
            if (hosts.awaitPairOf(vm).primary().equals(host)) {
                switchOver(vm);
                moved.add(vm.name());
            }
        }
        host.end();
        host.start();
        host.awaitUp();
        return new Deed("%s, %d VMs switched over before".formatted(host.name(), moved.size()), moved);
    }

    private static Deed killQemu(SoakVm vm, DemoHost host, Set<String> mayMove) throws RemusException {
        VmStatus status = host.status(vm.name());
        Long pid = status.qemuPid();
        if (pid == null) {
            throw new CommandException("%s has no QEMU of %s: %s".formatted(host.name(), vm.name(), status));
        }
        ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
        return new Deed("%s on %s".formatted(vm.name(), host.name()), mayMove);
    }

    private Deed killStandby() throws RemusException, InterruptedException {
        List<SoakVm> warm = new ArrayList<>();
        for (SoakVm vm : hosts.vms()) {
            DemoHost backup = hosts.awaitPairOf(vm).backup();
            if (backup.status(vm.name()).qemuPid() != null) {
                warm.add(vm);
            }
        }
        SoakVm vm = any(warm);
        return killQemu(vm, hosts.awaitPairOf(vm).backup(), Set.of());
    }

    private Deed switchOver(SoakVm vm) throws RemusException, InterruptedException {
        SoakHosts.Pair pair = hosts.awaitPairOf(vm);
        pair.primary().post(VmPath.verb(vm.name(), "switchover"));
        return new Deed(
                "%s from %s to %s"
                        .formatted(
                                vm.name(), pair.primary().name(), pair.backup().name()),
                Set.of(vm.name()));
    }

    private Deed pause(SoakVm vm) throws RemusException, InterruptedException {
        DemoHost primary = hosts.awaitPairOf(vm).primary();
        primary.post(VmPath.verb(vm.name(), "pause"));
        int millis = random.nextInt(MAX_PAUSE_MILLIS);
        sleep(millis);
        primary.post(VmPath.verb(vm.name(), "resume"));
        return new Deed("%s on %s for %d ms".formatted(vm.name(), primary.name(), millis), Set.of());
    }

    private String breakLink(DemoHost host, int minMillis, int maxMillis) throws RemusException, InterruptedException {
        int millis = random.nextInt(minMillis, maxMillis);
        hosts.unplug(host);
        try {
            sleep(millis);
        } finally {
            hosts.plug(host);
        }
        return "%s for %d ms".formatted(host.name(), millis);
    }
}
