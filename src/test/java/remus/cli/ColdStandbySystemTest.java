package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.Event;
import remus.api.EventType;
import remus.api.ProtectRequest;
import remus.api.StandbyMode;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.api.WhenAlone;

/** A backup without a waiting QEMU, which is started when it takes over. */
@Tag("system")
@Timeout(value = 6, unit = TimeUnit.HOURS)
class ColdStandbySystemTest {
    private static final int ROUNDS = Integer.getInteger("remus.campaign.rounds", 1);
    private static final String DETECT = "3s";

    /** What {@code ACTIVATED} says. */
    private static final Pattern ACTIVATED_AFTER = Pattern.compile("([\\d.]+) ms after the decision");

    /** Of {@code smaps_rollup}: what would be free if the process ended. */
    private static final Pattern OWN_MEMORY = Pattern.compile("Private_(?:Clean|Dirty): +(\\d+) kB");

    @TempDir
    private Path directory;

    private static void protect(TwoHosts hosts, DemoHost primary, DemoHost backup, StandbyMode standby)
            throws Exception {
        hosts.protect(
                primary,
                backup,
                new ProtectRequest(null, "25ms", null, DETECT, null, null, WhenAlone.HOLD, null, standby, null));
        assertEquals(standby, primary.status(DemoGuest.NAME).standby());
        expectStandby(hosts, backup, standby);
    }

    /** Without a QEMU, and without a TAP. */
    private static void expectStandby(TwoHosts hosts, DemoHost backup, StandbyMode standby) throws Exception {
        VmStatus status = hosts.await(backup, VmState.STANDBY);
        assertEquals(standby, status.standby());
        if (standby == StandbyMode.COLD) {
            assertNull(status.qemuPid());
            assertEquals("cold: QEMU is started when it takes over", status.reason());
            assertEquals(List.of(backup.pid()), hosts.processesOn(backup));
            assertEquals(List.of(), hosts.tapsOn(backup));
        } else {
            assertNotNull(status.qemuPid());
            assertNull(status.reason());
        }
    }

    private static void expectNothingLost(RedisClientLoad load) throws Exception {
        ClientLoad.Figures figures = load.finish();
        assertNull(figures.problem());
        assertEquals(0, figures.lost());
        assertEquals(0, figures.resets());
    }

    // ---- the client goes on, and what it costs

    private final Map<StandbyMode, List<Double>> activationMillis = new EnumMap<>(StandbyMode.class);
    private final Map<StandbyMode, List<Double>> stallMillis = new EnumMap<>(StandbyMode.class);
    private final List<Double> qemuMebibytes = new ArrayList<>();

    private static void add(Map<StandbyMode, List<Double>> figures, StandbyMode standby, double figure) {
        figures.computeIfAbsent(standby, unseen -> new ArrayList<>()).add(figure);
    }

    @Test
    void aClientGoesOnThroughFailoversAndASwitchoverToColdStandbys() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            try (RedisClientLoad load = hosts.load()) {
                DemoHost primary = hosts.alpha;
                DemoHost backup = hosts.beta;
                for (int round = 0; round < ROUNDS; round++) {
                    for (StandbyMode standby : StandbyMode.values()) {
                        failOver(hosts, primary, backup, standby, load);
                        DemoHost former = primary;
                        primary = backup;
                        backup = former;
                    }
                }
                protect(hosts, primary, backup, StandbyMode.COLD);
                switchOver(hosts, primary, backup, load);
                expectNothingLost(load);
            }
        }
        report();
    }

    /** The primary dies; afterwards nothing protects the VM, so that the next round may choose how. */
    private void failOver(TwoHosts hosts, DemoHost primary, DemoHost backup, StandbyMode standby, RedisClientLoad load)
            throws Exception {
        protect(hosts, primary, backup, standby);
        hosts.awaitAnswers(load, 200);
        Long waiting = backup.status(DemoGuest.NAME).qemuPid();
        if (waiting != null) {
            qemuMebibytes.add(ownMebibytes(waiting));
        }
        int before = backup.events().size();
        long killedNanos = System.nanoTime();
        primary.kill(hosts.qemuPid(primary));
        Event activated = hosts.awaitEvent(
                backup, event -> event.event() == EventType.ACTIVATED && isSince(backup, before, event), "activation");
        hosts.awaitAnswers(load, 20);
        Matcher after = ACTIVATED_AFTER.matcher(String.valueOf(activated.reason()));
        assertTrue(after.find(), activated.reason());
        add(activationMillis, standby, Double.parseDouble(after.group(1)));
        add(
                stallMillis,
                standby,
                load.answers().longestStallAfter(killedNanos).orElseThrow().millis());
        backup.post(VmPath.verb(DemoGuest.NAME, "unprotect"));
        hosts.startDaemon(primary);
        primary.awaitUp();
    }

    private static boolean isSince(DemoHost host, int before, Event event) {
        try {
            List<Event> events = host.events();
            return events.subList(before, events.size()).contains(event);
        } catch (remus.base.RemusException e) {
            throw new AssertionError(e);
        }
    }

    /** Memory that a process has for itself alone; the guest's RAM is shared with the daemon. */
    private static double ownMebibytes(long pid) throws IOException {
        Matcher line = OWN_MEMORY.matcher(Files.readString(Path.of("/proc/" + pid + "/smaps_rollup")));
        double kibibytes = 0;
        while (line.find()) {
            kibibytes += Double.parseDouble(line.group(1));
        }
        return kibibytes / 1024;
    }

    /** The roles are exchanged, and the setting with them. */
    private static void switchOver(TwoHosts hosts, DemoHost from, DemoHost to, RedisClientLoad load) throws Exception {
        VmStatus last = from.post(VmPath.verb(DemoGuest.NAME, "switchover"));
        assertTrue(String.valueOf(last.reason()).contains("0 output frames dropped"), last.reason());
        assertEquals(StandbyMode.COLD, hosts.await(to, VmState.PROTECTED).standby());
        expectStandby(hosts, from, StandbyMode.COLD);
        hosts.awaitAnswers(load, 50);
    }

    private void report() {
        System.err.printf("%d failovers each: median (smallest to largest)%n", ROUNDS);
        for (StandbyMode standby : StandbyMode.values()) {
            System.err.printf(
                    "%s: activation %s ms, client's stall %s ms, QEMU's own memory meanwhile %s MiB%n",
                    standby,
                    text(activationMillis.getOrDefault(standby, List.of())),
                    text(stallMillis.getOrDefault(standby, List.of())),
                    standby == StandbyMode.WARM ? text(qemuMebibytes) : "0");
        }
    }

    private static String text(List<Double> figures) {
        List<Double> sorted = figures.stream().sorted().toList();
        return "%.1f (%.1f to %.1f)".formatted(sorted.get(sorted.size() / 2), sorted.getFirst(), sorted.getLast());
    }

    // ---- a QEMU that does not start

    /** A program in QEMU's place on beta, which becomes QEMU unless it is told not to. */
    private List<String> withBreakableQemu() throws IOException {
        Path program = Files.createDirectories(directory.resolve("breakable")).resolve("qemu-system-x86_64");
        Files.writeString(program, """
                #!/bin/sh
                if [ -e %s ]; then case "$*" in *-incoming*) echo 'out of order' >&2; exit 1 ;; esac; fi
                exec /usr/bin/qemu-system-x86_64 "$@"
                """.formatted(broken()));
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
        return TwoHosts.within("export PATH=%s:$PATH".formatted(program.getParent()));
    }

    private Path broken() {
        return directory.resolve("broken");
    }

    @Test
    void aHostThatCanNotStartTheQemuRefusesTheSession() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.restartDaemon(hosts.beta, withBreakableQemu());
            hosts.boot("remus.run=idle");
            Files.createFile(broken());
            TwoHosts.Outcome refused = hosts.remus(
                    hosts.alpha,
                    "protect",
                    DemoGuest.NAME,
                    "--backup",
                    hosts.beta.replicationAddress().toString(),
                    "--standby",
                    "cold");
            assertNotEquals(0, refused.exitCode());
            assertTrue(refused.err().contains("out of order"), refused.err());
            hosts.await(hosts.alpha, VmState.UNPROTECTED);
            assertEquals(List.of(hosts.beta.pid()), hosts.processesOn(hosts.beta));
        }
    }

    @Test
    void aQemuThatDoesNotStartInASwitchoverLeavesTheVmWhereItWas() throws Exception {
        try (TwoHosts hosts = TwoHosts.openWithArbiter(directory)) {
            hosts.restartDaemon(hosts.beta, withBreakableQemu());
            hosts.bootRedis();
            protect(hosts, hosts.alpha, hosts.beta, StandbyMode.COLD);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                Files.createFile(broken());
                TwoHosts.Outcome failed = hosts.remus(hosts.alpha, "switchover", DemoGuest.NAME);
                assertNotEquals(0, failed.exitCode(), failed.out());
                assertTrue(failed.err().contains("taken back"), failed.err());
                expectToldWhy(hosts);
                hosts.awaitAnswers(load, 50);
                Files.delete(broken());
                hosts.await(hosts.alpha, VmState.PROTECTED);
                expectStandby(hosts, hosts.beta, StandbyMode.COLD);
                expectNothingLost(load);
            }
        }
    }

    @Test
    void aBackupWhoseQemuDoesNotStartKeepsTheImageAndTriesAgain() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.restartDaemon(hosts.beta, withBreakableQemu());
            hosts.bootRedis();
            protect(hosts, hosts.alpha, hosts.beta, StandbyMode.COLD);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                Files.createFile(broken());
                hosts.alpha.kill(hosts.qemuPid(hosts.alpha));
                expectToldWhy(hosts);
                assertEquals(
                        VmState.ACTIVATING, hosts.beta.status(DemoGuest.NAME).state());
                Files.delete(broken());
                hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
                hosts.awaitAnswers(load, 50);
                expectNothingLost(load);
            }
        }
    }

    private static void expectToldWhy(TwoHosts hosts) throws Exception {
        Event told = hosts.awaitEvent(
                hosts.beta,
                event -> String.valueOf(event.reason()).startsWith("activation attempt "),
                "failed attempt to activate");
        assertEquals(EventType.FAILED, told.event());
        assertTrue(String.valueOf(told.reason()).contains("out of order"), told.reason());
    }
}
