package remus.replication;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import remus.base.EpochId;
import remus.wire.Refusal;

/** The primary's channel and the backup's end of it, over real connections on the loopback interface. */
@Timeout(60)
class PrimaryChannelTest {
    private TestBackup backup;
    private TestPrimary primary;

    @BeforeEach
    void connect() throws Exception {
        backup = new TestBackup();
        primary = new TestPrimary(backup.address());
    }

    @AfterEach
    void close() throws Exception {
        primary.close();
        backup.close();
    }

    @Test
    void checkpointsArriveIntactAndInOrder() throws Exception {
        primary.channel.open();
        primary.await("ready");
        primary.channel.sendPages(primary.pages(0, 3000, 9));
        primary.await("chunk 3000");
        for (int epoch = 1; epoch <= 20; epoch++) {
            primary.channel.send(primary.checkpoint(epoch, 700 + epoch));
            primary.await("acknowledged " + epoch);
        }
        assertEquals(20, backup.checkpoints.size());
        for (int epoch = 1; epoch <= 20; epoch++) {
            TestBackup.Whole whole = backup.checkpoints.get(epoch - 1);
            assertEquals(new EpochId(epoch), whole.epoch());
            assertEquals(epoch == 1, whole.begin().first());
            assertEquals(epoch * 10L, whole.begin().inboundMark());
            assertEquals(100_000 + epoch, whole.deviceState().size());
            assertTrue(whole.deviceState().stream()
                    .allMatch(value -> value == whole.epoch().value() + 1));
            assertEquals(1000, whole.output().size());
            assertTrue(whole.output().stream().allMatch(frame -> frame.length == 1400));
        }
        backup.close();
        assertEquals((byte) 9, backup.pages.get(99L));
        assertEquals((byte) 21, backup.pages.get(100L));
        assertEquals((byte) 21, backup.pages.get(819L));
        assertEquals((byte) 9, backup.pages.get(820L));
        assertEquals((byte) 21, backup.pages.get(50L), "of two copies of a page the later one counts");
        assertEquals((byte) 0, backup.pages.get(51L));
        assertFalse(backup.log.stream().anyMatch(line -> line.startsWith("TORN")), () -> "torn: " + backup.log);
    }

    @Test
    void filesThatTheBackupLacksAreBroughtBeforeItIsReady() throws Exception {
        backup.wanted = List.of("vmlinuz");
        primary.synchronize();
        assertArrayEquals(TestPrimary.KERNEL, backup.fileBytes.toByteArray());
    }

    @Test
    void refusalEndsTheSessionWithItsReason() throws Exception {
        try (ReplicationServer refusing = ReplicationServer.open(
                        new remus.base.HostAddress("127.0.0.1", 0), new RefusingHandler(), TestBackup.TIME);
                TestPrimary refused = new TestPrimary(refusing.address())) {
            refused.channel.open();
            refused.await("reason: beta has no machine type pc-q35-7.2");
        }
    }

    private static final class RefusingHandler implements SessionHandler {
        @Override
        public void session(remus.wire.Hello hello, BackupConnection connection) {
            connection.refuse(new Refusal(Refusal.Code.INCOMPATIBLE, "beta has no machine type " + hello.machine()));
            connection.close();
        }

        @Override
        public remus.wire.HostAnswer host() {
            throw new IllegalStateException("not asked here");
        }

        @Override
        public remus.wire.OwnerAnswer answer(String vm) {
            throw new IllegalStateException("not asked here");
        }

        @Override
        public remus.wire.OwnerAnswer fence(String vm, remus.base.Term term) {
            throw new IllegalStateException("not asked here");
        }
    }

    @Test
    void aBackupUnderAnotherNameThanItSaidBeforeIsRefused() throws Exception {
        try (TestBackup backup = new TestBackup();
                TestPrimary misled = new TestPrimary(backup.address(), "gamma", TestPrimary.limits())) {
            misled.channel.open();
            misled.await("reason: the host at " + backup.address() + " calls itself 'beta', and was 'gamma' before");
        }
    }

    @Test
    void signOffIsAnswered() throws Exception {
        primary.synchronize();
        primary.channel.signOff("unprotect");
        primary.await("signed off dropped: unprotect");
    }

    @Test
    void promptFramesOvertakeBulkData() throws Exception {
        primary.channel.open();
        primary.await("ready");
        backup.stall();
        // Far more than the socket buffers hold, so that most of it waits here when the prompt frames come.
        for (int chunk = 0; chunk < 8; chunk++) {
            primary.channel.sendPages(primary.pages(0, 8000, chunk));
        }
        primary.mirror(5, 60, 1);
        primary.channel.heartbeat(new EpochId(0));
        backup.goOn();
        TestPrimary.await(
                "all chunks",
                () -> primary.heard.stream().filter("chunk 8000"::equals).count() == 8);
        TestPrimary.await("mirrored input", () -> backup.log.contains("inbound 5"));
        long pagesBefore = backup.log.subList(0, backup.log.indexOf("inbound 5")).stream()
                .filter(line -> line.startsWith("pages"))
                .count();
        assertTrue(pagesBefore < 8 * 8000 / 256 - 32, "prompt frames came after " + pagesBefore + " bulk frames");
    }

    @Test
    void aFullMirrorDropsAndCounts() throws Exception {
        primary.synchronize();
        backup.stall();
        for (int i = 0; i < 40_000; i++) {
            primary.mirror(100 + i, 1500, 1);
        }
        assertTrue(primary.channel.droppedInboundCount() > 0);
        backup.goOn();
        TestPrimary.await("mirrored input", () -> !backup.inbound.isEmpty());
        assertEquals("100:1500:1", backup.inbound.getFirst());
        primary.channel.send(primary.checkpoint(2, 10));
        primary.await("acknowledged 2");
    }

    @Test
    void aBackupThatDoesNotReadStopsThePrimaryAndCostsNoMemory() throws Exception {
        primary.synchronize();
        backup.stall();
        primary.channel.send(primary.checkpoint(2, 12_000));
        primary.channel.send(primary.checkpoint(3, 12_000));
        long before = NativeUse.residentBytes();
        for (int i = 0; i < 200_000; i++) {
            primary.channel.heartbeat(new EpochId(3));
            primary.channel.reportReleased(new EpochId(1));
        }
        assertTrue(NativeUse.residentBytes() - before < 64 << 20, "memory grew");
        assertFalse(primary.heard.contains("acknowledged 2"));
        backup.goOn();
        primary.await("acknowledged 3");
    }

    @Test
    void releasesAndHeartbeatsAreDelivered() throws Exception {
        primary.synchronize();
        primary.channel.reportReleased(new EpochId(1));
        primary.channel.heartbeat(new EpochId(1));
        TestPrimary.await(
                "release and heartbeat", () -> backup.log.contains("released 1") && backup.log.contains("heartbeat 1"));
    }

    @Test
    void theBackupsWordsAreHeardEvenWhileItIsBeingFlooded() throws Exception {
        primary.synchronize();
        backup.stall();
        primary.channel.send(primary.checkpoint(2, 12_000));
        backup.orders.add(connection -> {
            connection.activated("the primary was silent");
            connection.close();
        });
        primary.await("activated the primary was silent");
    }

    @Test
    void aBackupThatIsBusyIsAskedAgain() throws Exception {
        backup.refusal = new Refusal(Refusal.Code.BUSY, "an earlier session has yet to end");
        primary.channel.open();
        primary.await("cause: the backup refuses to go on (BUSY): an earlier session has yet to end");
        backup.refusal = null;
        primary.await("ready");
        assertFalse(primary.heard.contains("refused"));
    }

    @Test
    void verificationAndALostStandbyAreReported() throws Exception {
        primary.synchronize();
        backup.orders.add(connection -> connection.verified(new EpochId(1), false));
        primary.await("verified 1 false");
        backup.orders.add(connection -> connection.relief("its host is being drained"));
        primary.await("relief its host is being drained");
        primary.channel.send(primary.checkpoint(2, 10));
        primary.await("acknowledged 2");
        backup.orders.add(connection -> {
            connection.standbyLost("QEMU died");
            connection.close();
        });
        primary.await("reason: QEMU died");
    }

    @Test
    void aSignOffThatNobodyAnswersIsWithdrawnAndTheSessionGoesOn() throws Exception {
        primary.synchronize();
        backup.answersSignOff = false;
        primary.channel.signOff("unprotect");
        primary.channel.send(primary.checkpoint(2, 10));
        primary.await("sign-off unanswered");
        primary.await("reconnected 1");
        primary.await("acknowledged 2");
        assertEquals(
                1, primary.heard.stream().filter("sign-off unanswered"::equals).count());
        backup.answersSignOff = true;
        primary.channel.signOff("again");
        primary.await("signed off dropped: again");
    }

    @Test
    void aSignOffThatNobodyAnswersBeforeTheFirstCheckpointEndsTheSession() throws Exception {
        primary.channel.open();
        primary.await("ready");
        backup.answersSignOff = false;
        primary.channel.signOff("unprotect");
        primary.await("refused");
        assertFalse(primary.heard.contains("sign-off unanswered"));
    }

    @Test
    void anExceptionOfTheChannelsOwnProvesNothingOfTheBackup() throws Exception {
        primary.synchronize();
        primary.failure.set(new IllegalStateException("a fault of the channel's"));
        primary.channel.send(primary.checkpoint(2, 10));
        primary.await("reconnected 2");
        assertTrue(primary.heard.contains("disconnected"));
        primary.channel.send(primary.checkpoint(3, 10));
        primary.await("acknowledged 3");
        assertFalse(primary.heard.contains("backup lost"));
    }

    @Test
    void anErrorOfTheChannelsOwnIsReportedAsSuch() throws Exception {
        primary.synchronize();
        primary.failure.set(new AssertionError("a contradiction"));
        primary.channel.send(primary.checkpoint(2, 10));
        primary.await("channel failed AssertionError");
        assertFalse(primary.heard.contains("backup lost"));
    }

    @Test
    void afterAnEndNothingIsTakenAndNothingFails() throws Exception {
        primary.synchronize();
        primary.channel.signOff("unprotect");
        primary.await("signed off dropped: unprotect");
        primary.channel.send(primary.checkpoint(2, 10));
        primary.mirror(1, 60, 1);
        primary.channel.heartbeat(new EpochId(2));
        primary.channel.close();
        primary.channel.close();
    }

    @Test
    void theOrderToTakeOverFollowsTheReleaseOfTheLastOutput() throws Exception {
        primary.synchronize();
        primary.channel.reportReleased(new EpochId(1));
        primary.channel.handOver(7, "by command");
        TestPrimary.await("order", () -> backup.log.contains("hand over after 7 by command"));
        assertTrue(backup.log.indexOf("released 1") < backup.log.indexOf("hand over after 7 by command"));
    }

    @Test
    void aGuestsDeathIsReportedAtOnce() throws Exception {
        primary.synchronize();
        primary.channel.reportGuestDead("signal 9");
        TestPrimary.await("death", () -> backup.log.contains("guest dead signal 9"));
    }
}
