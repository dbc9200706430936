package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.Stream;
import remus.api.VmRole;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.base.RemusException;

/**
 * The three hosts of a migration campaign, which have one VM at a time. Waits until each has settled in its role, and counts
 * what they have then: where a role has more than when it was counted first, something was left behind. Used by one thread.
 */
final class MigrationCampaignHosts implements AutoCloseable {
    /** The second compiler has processor instructions for digests of all memory, which the quickly started first one has not. */
    private static final List<String> DAEMON_OPTIONS = Stream.concat(
                    Stream.of("-XX:TieredStopAtLevel=4"), HostCensus.DAEMON_OPTIONS.stream())
            .toList();

    private static final Duration LIMIT = Duration.ofMinutes(1);
    private static final Duration POLL = Duration.ofMillis(20);

    final ThreeHosts hosts;
    private final LeakCheck leaks;
    private final Set<String> counted = new HashSet<>();

    private MigrationCampaignHosts(ThreeHosts hosts, Path directory) throws RemusException {
        this.hosts = hosts;
        leaks = new LeakCheck(new HostCensus(directory));
    }

    /** Starts them. */
    static MigrationCampaignHosts open(Path directory) throws Exception {
        ThreeHosts hosts = new ThreeHosts(directory, DAEMON_OPTIONS);
        try {
            ThreeHosts.start(hosts.alpha, hosts.beta, hosts.gamma);
            MigrationCampaignHosts opened = new MigrationCampaignHosts(hosts, directory);
            opened.expectNoVm();
            return opened;
        } catch (Exception | AssertionError e) {
            hosts.close();
            throw e;
        }
    }

    /** The two others. */
    List<DemoHost> othersThan(DemoHost host) {
        return hosts.hosts().stream().filter(other -> !other.equals(host)).toList();
    }

    /** It runs there without a backup, and the others have nothing of it but what they remember. */
    void expectOnlyOn(DemoHost owner, String vm) throws RemusException, InterruptedException {
        expect("one VM, unprotected", List.of(1L, 0L, 0L), () -> {
            await(owner, vm, now -> now.role() == VmRole.PRIMARY && now.state() == VmState.UNPROTECTED);
            for (DemoHost other : othersThan(owner)) {
                awaitNone(other, now -> now.qemuPid() != null || now.role() == VmRole.BACKUP);
            }
            return inRoles(owner, othersThan(owner).getFirst());
        });
    }

    /** It runs there, and waits on the backup. */
    void expectProtected(DemoHost owner, DemoHost backup, String vm) throws RemusException, InterruptedException {
        expect("one VM, protected", List.of(1L, 1L, 0L), () -> {
            String address = backup.replicationAddress().toString();
            await(owner, vm, now -> now.state() == VmState.PROTECTED && address.equals(now.peer()));
            await(backup, vm, now -> now.state() == VmState.STANDBY);
            for (DemoHost other : othersThan(owner)) {
                awaitNone(other, now -> !other.equals(backup) && now.qemuPid() != null);
            }
            return inRoles(owner, backup);
        });
    }

    /** None has a VM, nor remembers one. */
    void expectNoVm() throws RemusException, InterruptedException {
        expect("no VM", List.of(0L, 0L, 0L), () -> {
            for (DemoHost host : hosts.hosts()) {
                awaitNone(host, vm -> true);
            }
            return hosts.hosts();
        });
    }

    /** Ends the VM, and what the hosts that it has left remember of it. */
    void stop(String vm) throws RemusException, InterruptedException {
        for (DemoHost host : hosts.hosts()) {
            if (!host.status().vms().isEmpty()) {
                host.post(VmPath.verb(vm, "stop"));
            }
        }
        expectNoVm();
    }

    private List<DemoHost> inRoles(DemoHost first, DemoHost second) {
        List<DemoHost> order = new ArrayList<>(List.of(first, second));
        hosts.hosts().stream().filter(host -> !order.contains(host)).forEach(order::add);
        return order;
    }

    private void expect(String state, List<Long> qemus, LeakCheck.Roles roles)
            throws RemusException, InterruptedException {
        if (counted.add(state)) {
            leaks.before(state, roles);
        } else {
            leaks.again(state, roles);
        }
        assertEquals(List.of(), leaks.leaks());
        Census last = leaks.census().getLast();
        assertEquals(
                qemus,
                last.hosts().stream().map(HostCount::qemus).toList(),
                () -> "%s: QEMU processes by host: %s".formatted(state, last));
    }

    private void await(DemoHost host, String vm, Predicate<VmStatus> wanted)
            throws RemusException, InterruptedException {
        host.await(vm, wanted, LIMIT, "as expected");
    }

    private static void awaitNone(DemoHost host, Predicate<VmStatus> such) throws RemusException, InterruptedException {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        List<VmStatus> vms = host.status().vms();
        while (vms.stream().anyMatch(such)) {
            assertTrue(System.nanoTime() - deadline < 0, "%s still has %s".formatted(host.name(), vms));
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
            vms = host.status().vms();
        }
    }

    @Override
    public void close() {
        hosts.close();
    }
}
