package remus.api;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The documents' keys are a contract: these texts change only together with it. */
class JsonTest {
    private static final String STATUS = """
            {"host":"alpha","vms":[{"name":"shop","role":"primary","state":"PROTECTED","reason":null,"term":3,\
            "epoch":42,"committedEpoch":41,"peer":"192.0.2.7:7420","intervalMillis":25,"qemuPid":4711,"tap":"rm0",\
            "checkpoint":{"count":41,"pauseMicros":{"p50":1,"p99":2,"max":3},"dirtyPages":{"p50":4,"p99":5,"max":6},\
            "commitMicros":{"p50":7,"p99":8,"max":9},"bytesPerSecond":10,"rawBytesPerSecond":30},\
            "output":{"heldFrames":11,"heldBytes":12,"releasedFrames":13,"droppedFrames":14},\
            "disk":[{"name":"root","pendingBytes":15,"syncedPercent":16}],"guestClockLagMillis":17,"standby":"cold"}],\
            "arbiter":{"name":"none","reachable":true,"reason":null},\
            "memory":{"totalBytes":18,"availableBytes":19,"guestBytes":20,"unfilledGuestBytes":22,"stagingBytes":21},\
            "draining":{"done":false,"vms":[{"vm":"shop","role":"primary","stage":"WAITING","text":"its turn"}]}}""";

    private static final HostStatus DOCUMENT = new HostStatus(
            "alpha",
            List.of(new VmStatus(
                    "shop",
                    VmRole.PRIMARY,
                    VmState.PROTECTED,
                    null,
                    3,
                    42,
                    41,
                    "192.0.2.7:7420",
                    25,
                    4711L,
                    "rm0",
                    new CheckpointStatus(
                            41, new Percentiles(1, 2, 3), new Percentiles(4, 5, 6), new Percentiles(7, 8, 9), 10, 30),
                    new OutputStatus(11, 12, 13, 14),
                    List.of(new DiskStatus("root", 15, 16)),
                    17,
                    StandbyMode.COLD)),
            ArbiterView.NONE,
            new HostMemory(18, 19, 20, 22, 21),
            new Draining(false, List.of(new DrainStep("shop", VmRole.PRIMARY, DrainStage.WAITING, "its turn"))));

    @Test
    void statusHasEveryKeyOfTheContractInItsOrder() {
        assertEquals(STATUS, Json.write(DOCUMENT));
        assertEquals(DOCUMENT, Json.read(STATUS, HostStatus.class));
    }

    @Test
    void absentValuesAreWrittenAsNull() {
        VmStatus stopped = new VmStatus(
                "shop",
                VmRole.BACKUP,
                VmState.STANDBY,
                null,
                0,
                0,
                0,
                null,
                0,
                null,
                null,
                CheckpointStatus.NONE,
                OutputStatus.NONE,
                List.of(),
                0,
                null);
        assertEquals("""
                {"name":"shop","role":"backup","state":"STANDBY","reason":null,"term":0,"epoch":0,\
                "committedEpoch":0,"peer":null,"intervalMillis":0,"qemuPid":null,"tap":null,\
                "checkpoint":{"count":0,"pauseMicros":{"p50":0,"p99":0,"max":0},\
                "dirtyPages":{"p50":0,"p99":0,"max":0},"commitMicros":{"p50":0,"p99":0,"max":0},\
                "bytesPerSecond":0,"rawBytesPerSecond":0},\
                "output":{"heldFrames":0,"heldBytes":0,"releasedFrames":0,"droppedFrames":0},\
                "disk":[],"guestClockLagMillis":0,"standby":null}""", Json.write(stopped));
    }

    @Test
    void anEventHasSixKeys() {
        Event event = new Event(
                Instant.parse("2027-01-15T08:00:00.123Z"), "shop", EventType.ACTIVATED, "primary silent", 4, 99);
        String json = """
                {"time":"2027-01-15T08:00:00.123Z","vm":"shop","event":"ACTIVATED","reason":"primary silent",\
                "term":4,"epoch":99}""";
        assertEquals(json, Json.write(event));
        assertEquals(event, Json.read(json, Event.class));
    }

    @Test
    void requestsMayLeaveOutWhatHasADefault() {
        assertEquals(
                new ProtectRequest("beta", null, null, null, null, null, WhenAlone.HOLD, null, null, null),
                Json.readStrictly("{\"backup\":\"beta\",\"whenAlone\":\"hold\"}", ProtectRequest.class));
    }

    @Test
    void anAnswerOfANewerHostIsReadWithoutWhatIsNew() {
        assertEquals(
                new ErrorDocument("no", "try"),
                Json.read("{\"error\":\"no\",\"remedy\":\"try\",\"severity\":3}", ErrorDocument.class));
    }
}
