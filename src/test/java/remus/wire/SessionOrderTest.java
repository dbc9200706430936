package remus.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remus.base.EpochId;

/** Which frames may follow which within a session. */
class SessionOrderTest {
    private static final EpochId ONE = new EpochId(1);
    private static final EpochId TWO = new EpochId(2);
    private static final CheckpointBegin FIRST = new CheckpointBegin(true, false, 0, 0);
    private static final CheckpointBegin LATER = new CheckpointBegin(false, false, 0, 0);

    private final SessionOrder order = new SessionOrder();

    @BeforeEach
    void welcomeANewSession() {
        order.welcomed(Hello.Mode.NEW, EpochId.NONE, List.of());
        order.readied();
    }

    private void first() throws WireException {
        order.checkpointBegin(ONE, FIRST);
        order.pages(FrameType.PAGES, ONE, 10);
        order.deviceState(ONE, 0, 3, 3);
        order.outputFrames(ONE, 2);
        order.checkpointEnd(ONE, new CheckpointEnd(10, 3, 2, 0, 0, null));
    }

    @Test
    void aSessionInOrderIsAccepted() throws WireException {
        order.pages(FrameType.PAGES, EpochId.NONE, 5);
        first();
        order.checkpointBegin(TWO, LATER);
        order.checkpointEnd(TWO, new CheckpointEnd(0, 0, 0, 0, 0, null));
        assertEquals(TWO, order.lastEnded());
        order.signOff();
    }

    @Test
    void epochsAreConsecutive() throws WireException {
        assertThrows(WireException.class, () -> order.checkpointBegin(TWO, FIRST));
        first();
        assertThrows(WireException.class, () -> order.checkpointBegin(ONE, LATER));
        assertThrows(WireException.class, () -> order.checkpointBegin(new EpochId(3), LATER));
    }

    @Test
    void aResumedSessionGoesOnAfterTheLastWholeEpoch() throws WireException {
        SessionOrder resumed = new SessionOrder();
        resumed.welcomed(Hello.Mode.RESUME, new EpochId(41), List.of());
        assertThrows(WireException.class, () -> resumed.pages(FrameType.PAGES, EpochId.NONE, 1));
        assertThrows(WireException.class, () -> resumed.checkpointBegin(new EpochId(41), LATER));
        assertThrows(WireException.class, () -> resumed.checkpointBegin(new EpochId(42), FIRST));
        resumed.checkpointBegin(new EpochId(42), LATER);
    }

    @Test
    void checkpointsDoNotOverlap() throws WireException {
        order.checkpointBegin(ONE, FIRST);
        assertThrows(WireException.class, () -> order.checkpointBegin(TWO, LATER));
        assertThrows(WireException.class, () -> order.pages(FrameType.PAGES, EpochId.NONE, 1));
        assertThrows(WireException.class, () -> order.pages(FrameType.PAGES, TWO, 1));
        assertThrows(WireException.class, () -> order.outputFrames(TWO, 1));
    }

    @Test
    void aCheckpointThatLacksSomethingIsNotComplete() throws WireException {
        order.checkpointBegin(ONE, FIRST);
        order.pages(FrameType.PAGES, ONE, 10);
        order.deviceState(ONE, 0, 3, 2);
        order.outputFrames(ONE, 2);
        assertThrows(WireException.class, () -> order.checkpointEnd(ONE, new CheckpointEnd(10, 2, 2, 0, 0, null)));
        assertThrows(WireException.class, () -> order.checkpointEnd(ONE, new CheckpointEnd(10, 3, 2, 0, 0, null)));
        order.deviceState(ONE, 2, 3, 1);
        assertThrows(WireException.class, () -> order.checkpointEnd(ONE, new CheckpointEnd(11, 3, 2, 0, 0, null)));
        assertThrows(WireException.class, () -> order.checkpointEnd(ONE, new CheckpointEnd(10, 3, 1, 0, 0, null)));
        order.checkpointEnd(ONE, new CheckpointEnd(10, 3, 2, 0, 0, null));
    }

    @Test
    void deviceStateHasNoGapsAndOneTotalWithinItsLimit() throws WireException {
        order.checkpointBegin(ONE, FIRST);
        long tooMuch = WireLimits.MAX_DEVICE_STATE_BYTES + 1;
        assertThrows(WireException.class, () -> order.deviceState(ONE, 0, tooMuch, 1));
        assertThrows(WireException.class, () -> order.deviceState(ONE, 1, 10, 1));
        order.deviceState(ONE, 0, 10, 4);
        assertThrows(WireException.class, () -> order.deviceState(ONE, 4, 11, 1));
        assertThrows(WireException.class, () -> order.deviceState(ONE, 3, 10, 1));
        assertThrows(WireException.class, () -> order.deviceState(ONE, 4, 10, 7));
        assertThrows(WireException.class, () -> order.deviceState(ONE, 0, 10, 1));
    }

    @Test
    void filesComeWholeAndInTheOrderAskedFor() throws WireException {
        SessionOrder files = new SessionOrder();
        HelloFile kernel = new HelloFile("vmlinuz", 10, Samples.digest());
        HelloFile empty = new HelloFile("empty", 0, Samples.digest());
        files.welcomed(Hello.Mode.NEW, EpochId.NONE, List.of(kernel, empty));
        assertThrows(WireException.class, () -> files.fileData("empty", 0, 0));
        assertThrows(WireException.class, () -> files.fileData("vmlinuz", 1, 5));
        assertThrows(WireException.class, () -> files.fileData("vmlinuz", 0, 11));
        assertThrows(WireException.class, () -> files.fileData("vmlinuz", 0, 0));
        files.fileData("vmlinuz", 0, 6);
        assertThrows(WireException.class, () -> files.fileData("vmlinuz", 0, 6));
        files.fileData("vmlinuz", 6, 4);
        files.fileData("empty", 0, 0);
        assertEquals(SessionOrder.Phase.PREPARING, files.phase());
        assertThrows(WireException.class, () -> files.pages(FrameType.PAGES, EpochId.NONE, 1));
    }

    @Test
    void mirroredInputNeverGoesBackWithinAConnection() throws WireException {
        order.inboundFrames(100, 5);
        assertThrows(WireException.class, () -> order.inboundFrames(104, 1));
        order.inboundFrames(105, 1);
        order.inboundFrames(200, 1);
        assertThrows(WireException.class, () -> order.inboundFrames(Long.MAX_VALUE, 2));
    }

    @Test
    void onlyWhatIsWholeHereCanHaveBeenReleased() throws WireException {
        assertThrows(WireException.class, () -> order.released(ONE));
        first();
        order.released(ONE);
        order.checkpointBegin(TWO, LATER);
        assertThrows(WireException.class, () -> order.released(TWO));
        order.released(ONE);
    }

    @Test
    void disksAreSynchronizedBeforeTheFirstCheckpointOnly() throws WireException {
        order.diskWrites(EpochId.NONE, 3, 100);
        order.diskCompare();
        order.checkpointBegin(ONE, FIRST);
        assertThrows(WireException.class, () -> order.diskWrites(EpochId.NONE, 1, 1));
        assertThrows(WireException.class, order::diskCompare);
        order.deviceState(ONE, 0, 3, 3);
        order.checkpointEnd(ONE, new CheckpointEnd(0, 3, 0, 0, 0, null));
        assertThrows(WireException.class, () -> order.diskWrites(EpochId.NONE, 1, 1));
        assertThrows(WireException.class, order::diskCompare);
    }

    @Test
    void nothingIsWrittenToDisksBeforeTheBackupIsReady() {
        SessionOrder early = new SessionOrder();
        assertThrows(WireException.class, () -> early.diskWrites(ONE, 1, 1));
        early.welcomed(Hello.Mode.NEW, EpochId.NONE, List.of());
        assertThrows(WireException.class, () -> early.diskWrites(EpochId.NONE, 1, 1));
        assertThrows(WireException.class, early::diskCompare);
    }

    @Test
    void aResumedSessionSynchronizesNoDisk() {
        SessionOrder resumed = new SessionOrder();
        resumed.welcomed(Hello.Mode.RESUME, new EpochId(41), List.of());
        assertThrows(WireException.class, () -> resumed.diskWrites(EpochId.NONE, 1, 1));
        assertThrows(WireException.class, resumed::diskCompare);
        assertThrows(WireException.class, () -> resumed.diskWrites(new EpochId(41), 1, 1));
        assertThrows(WireException.class, () -> resumed.diskWrites(new EpochId(45), 1, 1));
    }

    @Test
    void theEpochsOfDiskWritesNeverGoBackAndAreNotFarAhead() throws WireException {
        assertThrows(WireException.class, () -> order.diskWrites(new EpochId(4), 1, 1));
        order.diskWrites(ONE, 1, 10);
        assertThrows(WireException.class, () -> order.diskWrites(EpochId.NONE, 1, 1));
        order.diskWrites(TWO, 2, 20);
        assertThrows(WireException.class, () -> order.diskWrites(ONE, 1, 1));
        order.diskWrites(new EpochId(3), 1, 1);
        order.checkpointBegin(ONE, FIRST);
        order.diskWrites(new EpochId(3), 1, 1);
        order.deviceState(ONE, 0, 3, 3);
        order.checkpointEnd(ONE, new CheckpointEnd(0, 3, 0, 1, 10, null));
        order.diskWrites(new EpochId(4), 1, 1);
        assertThrows(WireException.class, () -> order.diskWrites(new EpochId(5), 1, 1));
        assertThrows(WireException.class, () -> order.diskWrites(ONE, 1, 1));
    }

    @Test
    void allDiskWritesOfAnEpochComeBeforeItsEnd() throws WireException {
        order.diskWrites(ONE, 1, 10);
        order.diskWrites(TWO, 5, 50);
        order.checkpointBegin(ONE, FIRST);
        order.deviceState(ONE, 0, 3, 3);
        assertThrows(WireException.class, () -> order.checkpointEnd(ONE, new CheckpointEnd(0, 3, 0, 0, 0, null)));
        assertThrows(WireException.class, () -> order.checkpointEnd(ONE, new CheckpointEnd(0, 3, 0, 2, 10, null)));
        assertThrows(WireException.class, () -> order.checkpointEnd(ONE, new CheckpointEnd(0, 3, 0, 1, 11, null)));
        order.checkpointEnd(ONE, new CheckpointEnd(0, 3, 0, 1, 10, null));
        order.checkpointBegin(TWO, LATER);
        order.diskWrites(TWO, 1, 0);
        order.checkpointEnd(TWO, new CheckpointEnd(0, 0, 0, 6, 50, null));
    }

    @Test
    void nothingFollowsASignOff() throws WireException {
        order.signOff();
        assertThrows(WireException.class, order::heartbeat);
        assertThrows(WireException.class, order::signOff);
        assertThrows(WireException.class, () -> order.checkpointBegin(ONE, FIRST));
    }
}
