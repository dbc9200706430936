package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Instant;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import remus.api.CheckpointStatus;
import remus.api.Event;
import remus.api.EventType;
import remus.api.Json;
import remus.api.Percentiles;
import remus.cli.ScenarioReport.Failover;
import remus.cli.ScenarioReport.Outcome;

class ScenarioReportTest {
    private static final Moment KILLED = new Moment(1_000_000_000, 5_000);
    private static final ClientLoad.Figures GOOD = new ClientLoad.Figures(600, 0, 0, null);
    private static final Census EMPTY =
            new Census("empty", List.of(new HostCount("delta", 0, 0, 0, 0, 30, new TreeMap<>(), 0, 29_000, 25)));

    private static DemoRound survived(long stall) {
        return DemoRound.failedOver(
                1,
                KillKind.POWER,
                KILLED,
                new TakeOver(Instant.ofEpochMilli(5_010), Instant.ofEpochMilli(5_030)),
                new AnswerTimes.Stall(1_000_000_000, 1_000_000_000 + stall * 1_000_000),
                new CheckpointStatus(
                        40,
                        new Percentiles(3_000, 6_000, 9_000),
                        new Percentiles(90, 200, 300),
                        Percentiles.NONE,
                        0,
                        0));
    }

    private static Failover failover(DemoRound round) {
        return new Failover(1, "vm1", "alpha", "delta", "power", round.activated(), 10, 20, 30, 60, null, null);
    }

    private static ScenarioReport report(List<String> leaks, Outcome... outcomes) {
        return ScenarioReport.of(
                "many", 1, List.of(outcomes), List.of(failover(survived(60))), List.of(EMPTY, EMPTY), leaks);
    }

    private static Outcome vm(int number, ClientLoad.Figures client, DemoRound... kills) {
        return new Outcome("vm" + number, List.of(kills), client);
    }

    @Test
    void itHasTheKeysOfEveryDemoAndItsOwn() {
        String json = Json.write(report(List.of(), vm(1, GOOD, survived(60)), vm(2, GOOD, survived(80))));
        assertTrue(json.startsWith("""
                {"scenario":"many","rounds":1,"kills":2,"activations":2,"acknowledged":1200,"lost":0,"resets":0,\
                "stallMillis":{"p50":60,"p99":80,"max":80},"stallMillisP90":80,\
                "detectionMillis":{"p50":10,"p99":10,"max":10},"activationMillis":{"p50":20,"p99":20,"max":20},\
                "pauseMicros":{"p50":3000,"p99":6000,"max":9000},"dirtyPages":{"p50":90,"p99":200,"max":300},\
                "checkpoints":80,"vms":[{"vm":"vm1","kills":1,"activations":1,"acknowledged":600,"lost":0,"resets":0,\
                "stallMillis":{"p50":60,"p99":60,"max":60},"stallMillisP90":60},"""), json);
        assertTrue(json.contains("""
                "failovers":[{"round":1,"vm":"vm1","from":"alpha","to":"delta","kill":"power","activated":true,\
                "detectionMillis":10,"activationMillis":20,"firstAnswerMillis":30,"stallMillis":60,\
                "protectedAgainBy":null,"protectedAgainMillis":null}]"""), json);
        assertTrue(json.endsWith("""
                {"state":"empty","hosts":[{"host":"delta","qemus":0,"taps":0,"tmpfsFiles":0,"tmpfsBytes":0,\
                "descriptors":30,"descriptorKinds":{},"mappedBytes":0,"offHeapBytes":29000,"threads":25}]}],\
                "leaks":[],"problem":null}"""), json);
    }

    @Test
    void itPassesOnlyWhenEveryVmSurvivedNothingWasLostAndNothingLeaked() {
        Outcome good = vm(1, GOOD, survived(60));
        assertTrue(report(List.of(), good).passed());
        assertFalse(
                report(List.of("empty: delta: 1 TAP devices, before 0"), good).passed());
        DemoRound dead = DemoRound.withoutFailover(1, KillKind.POWER, CheckpointStatus.NONE);
        assertFalse(report(List.of(), good, vm(2, GOOD, dead)).passed());
        assertFalse(report(List.of(), good, vm(2, new ClientLoad.Figures(600, 1, 0, "x"), survived(60)))
                .passed());
        assertFalse(report(List.of(), good, vm(2, new ClientLoad.Figures(600, 0, 1, "x"), survived(60)))
                .passed());
        assertFalse(report(List.of()).passed(), "nothing was killed");
    }

    @Test
    void stallsAreToldByTheirMedianTheirNinetiethPercentileAndTheLongest() {
        Outcome[] ten = IntStream.rangeClosed(1, 10)
                .mapToObj(number -> vm(number, GOOD, survived(100L * number)))
                .toArray(Outcome[]::new);
        ScenarioReport report = report(List.of(), ten);
        assertEquals(500, report.stallMillis().p50());
        assertEquals(900, report.stallMillisP90());
        assertEquals(1_000, report.stallMillis().max());
    }

    private static String shown(ScenarioReport report) {
        StringWriter text = new StringWriter();
        DemoDisplay display = new DemoDisplay(new PrintWriter(text), "writes", false, true);
        display.verdict(report);
        display.clients(report);
        return text.toString();
    }

    @Test
    void aPersonSeesTheSumTheCountsAndEachVm() {
        String text = shown(report(List.of(), vm(1, GOOD, survived(60)), vm(2, GOOD, survived(80))));
        assertTrue(text.lines().allMatch(line -> line.length() <= 81), text);
        assertEquals("""

                2 of 2 failovers: 1,200 acknowledged writes, none lost, no reset, no leak.

                  client stall   p50 60 ms   p90 80 ms   max 80 ms
                    detection    p50 10 ms   p99 10 ms   max 10 ms
                    activation   p50 20 ms   p99 20 ms   max 20 ms
                  checkpoints    80
                    pause        p50 3.0 ms   p99 6.0 ms   max 9.0 ms
                    dirty pages  p50 90   p99 200   max 300
                  empty          0 QEMUs, 0 TAPs, 0 files on tmpfs, 30 fds, 0 MiB off heap
                  empty          0 QEMUs, 0 TAPs, 0 files on tmpfs, 30 fds, 0 MiB off heap
                  each client    stall: p50/p90/max
                  vm1            1 of 1 failovers, 600 writes, 0 lost, 0 reset, stall 60/60/60 ms
                  vm2            1 of 1 failovers, 600 writes, 0 lost, 0 reset, stall 80/80/80 ms
                """, text);
    }

    @Test
    void aLeakIsNamed() {
        String text = shown(report(List.of("empty: delta: 1 TAP devices, before 0"), vm(1, GOOD, survived(60))));
        assertTrue(
                text.contains("FAILED: 1 of 1 failovers: 600 acknowledged writes, none lost, no reset, 1 leak."), text);
        assertTrue(text.contains("leaked: empty: delta: 1 TAP devices, before 0"), text);
    }

    private static Event event(long millis, String vm, EventType type) {
        return new Event(Instant.ofEpochMilli(millis), vm, type, null, 1, 1);
    }

    @Test
    void aTakeOverIsFoundByItsVmAndOnlyAfterTheKill() {
        List<Event> events = List.of(
                event(4_000, "vm1", EventType.ACTIVATING),
                event(4_100, "vm1", EventType.ACTIVATED),
                event(5_020, "vm2", EventType.ACTIVATING),
                event(5_040, "vm1", EventType.ACTIVATING),
                event(5_050, "vm2", EventType.ACTIVATED));
        assertTrue(TakeOver.find(events, "vm1", KILLED).isEmpty());
        assertEquals(
                new TakeOver(Instant.ofEpochMilli(5_020), Instant.ofEpochMilli(5_050)),
                TakeOver.find(events, "vm2", KILLED).orElseThrow());
    }
}
