package remus.replication;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.wire.Refusal;

/** What becomes of a session when its connection is cut, at any byte. */
@Timeout(90)
class ReconnectionTest {
    private TestBackup backup;
    private Relay relay;
    private TestPrimary primary;

    @BeforeEach
    void connect() throws Exception {
        backup = new TestBackup();
        relay = new Relay(backup.address());
        primary = new TestPrimary(relay.address());
    }

    @AfterEach
    void close() throws Exception {
        primary.close();
        relay.close();
        backup.close();
    }

    @Test
    void aCheckpointCutInTheMiddleIsSentAgainFromItsStart() throws Exception {
        primary.synchronize();
        relay.cutAfter(1_000_000);
        primary.channel.send(primary.checkpoint(2, 1000));
        primary.await("reconnected 1");
        primary.await("acknowledged 2");
        assertTrue(primary.heard.contains("disconnected"));
        assertEquals(List.of(1L, 2L), wholeEpochs());
        // Page 50 was taken twice, and is sent once.
        assertEquals(1000 + 7, backup.checkpoints.getLast().end().pageCount());
    }

    @Test
    void aSessionSurvivesCutsAtRandomBytes() throws Exception {
        long seed = 7420;
        Random random = new Random(seed);
        primary.synchronize();
        for (int epoch = 2; epoch <= 40; epoch++) {
            if (epoch % 2 == 0) {
                relay.cutAfter(1 + random.nextInt(2_500_000));
            }
            primary.channel.send(primary.checkpoint(epoch, 400));
            int sent = epoch;
            // After a cut, the acknowledgement may be the last whole epoch of the new connection's welcome.
            TestPrimary.await(
                    "epoch " + epoch + ", seed " + seed + ": " + primary.heard,
                    () -> primary.heard.contains("acknowledged " + sent)
                            || primary.heard.contains("reconnected " + sent));
        }
        assertFalse(backup.log.stream().anyMatch(line -> line.startsWith("TORN")));
        assertEquals(40, wholeEpochs().getLast());
        assertEquals(40, wholeEpochs().stream().distinct().count());
        assertTrue(backup.sessionCount.get() > 5, "only " + backup.sessionCount + " connections");
    }

    @Test
    void aSessionWithCodedPagesSurvivesCutsAtRandomBytes() throws Exception {
        long seed = 7421;
        Random random = new Random(seed);
        primary.close();
        primary = new TestPrimary(relay.address(), "beta", Compression.ALWAYS, TestPrimary.limits());
        primary.synchronize();
        for (int epoch = 2; epoch <= 40; epoch++) {
            if (epoch % 2 == 0) {
                // Pages are little of it, and come first.
                relay.cutAfter(1 + random.nextInt(random.nextBoolean() ? 4_000 : 1_500_000));
            }
            primary.channel.send(primary.checkpoint(epoch, 400));
            int sent = epoch;
            TestPrimary.await(
                    "epoch " + epoch + ", seed " + seed + ": " + primary.heard,
                    () -> primary.heard.contains("acknowledged " + sent)
                            || primary.heard.contains("reconnected " + sent));
        }
        assertFalse(backup.log.stream().anyMatch(line -> line.startsWith("TORN")));
        assertTrue(backup.log.stream().anyMatch(line -> line.startsWith("coded 40")));
        assertEquals(40, wholeEpochs().stream().distinct().count());
        assertEquals((byte) 41, backup.pages.get(100L + 399));
        assertEquals((byte) 41, backup.pages.get(50L));
        assertEquals((byte) 0, backup.pages.get(56L));
        assertTrue(primary.channel.sentPageBytes() < primary.channel.rawPageBytes() / 50);
    }

    @Test
    void anAcknowledgementLostInTheCutIsMadeUpByTheWelcome() throws Exception {
        primary.synchronize();
        backup.acknowledges = false;
        primary.channel.send(primary.checkpoint(2, 10));
        TestPrimary.await("checkpoint 2", () -> backup.log.contains("end 2"));
        relay.cut();
        primary.await("reconnected 2");
        backup.acknowledges = true;
        primary.channel.send(primary.checkpoint(3, 10));
        primary.await("acknowledged 3");
        assertEquals(List.of(1L, 2L, 3L), wholeEpochs());
    }

    @Test
    void mirroredInputOfUncommittedEpochsIsSentAgain() throws Exception {
        primary.synchronize();
        for (int sequence = 15; sequence < 25; sequence++) {
            primary.mirror(sequence, 60, sequence);
        }
        TestPrimary.await("input", () -> backup.inbound.size() == 10);
        // Its mark is 20: what came before has taken effect in it.
        primary.channel.send(primary.checkpoint(2, 10));
        primary.await("acknowledged 2");
        backup.inbound.clear();
        relay.cut();
        primary.await("reconnected 2");
        TestPrimary.await("input again", () -> backup.inbound.size() >= 5);
        assertEquals(List.of("20:60:20", "21:60:21", "22:60:22", "23:60:23", "24:60:24"), backup.inbound);
    }

    @Test
    void aConnectionLostInSynchronizationEndsTheSession() throws Exception {
        primary.channel.open();
        primary.await("ready");
        primary.channel.sendPages(primary.pages(0, 1000, 1));
        primary.await("chunk 1000");
        relay.cut();
        primary.await("backup lost");
    }

    @ParameterizedTest
    @EnumSource(
            value = Refusal.Code.class,
            mode = EnumSource.Mode.EXCLUDE,
            names = {"ACTIVATED", "UNKNOWN_SESSION"})
    void aRefusalThatProvesNothingIsNoEndOfAnEstablishedSession(Refusal.Code code) throws Exception {
        primary.synchronize();
        backup.refusal = new Refusal(code, "not now");
        relay.cut();
        primary.await("cause: the backup refuses to go on (" + code + "): not now");
        backup.refusal = null;
        primary.await("reconnected 1");
        assertNoEnd();
    }

    @Test
    void aBackupThatDoesNotKnowTheSessionHasNoImage() throws Exception {
        primary.synchronize();
        backup.refusal = new Refusal(Refusal.Code.UNKNOWN_SESSION, "restarted");
        relay.cut();
        primary.await("reason: the backup has no image: restarted");
        assertTrue(primary.heard.contains("backup lost"));
    }

    @Test
    void aBackupThatHasTakenOverSaysSoToAPrimaryThatComesBack() throws Exception {
        primary.synchronize();
        backup.refusal = new Refusal(Refusal.Code.ACTIVATED, "took over");
        relay.cut();
        primary.await("activated took over");
    }

    @Test
    void aBackupThatHoldsLessThanItHadAcknowledgedHasNoImage() throws Exception {
        primary.synchronize();
        backup.claimedWhole = EpochId.NONE;
        relay.cut();
        primary.await("backup lost");
    }

    @Test
    void aBackupThatMakesNoSenseIsNoEndOfAnEstablishedSession() throws Exception {
        primary.synchronize();
        backup.claimedWhole = new EpochId(99);
        relay.cut();
        TestPrimary.await(
                "nonsense noticed",
                () -> primary.heard.stream().anyMatch(line -> line.startsWith("cause: the backup broke the protocol")));
        backup.claimedWhole = null;
        primary.await("reconnected 1");
        assertNoEnd();
    }

    @Test
    void aFirstCheckpointThatMayHaveArrivedIsNotGivenUpWithItsConnection() throws Exception {
        backup.acknowledges = false;
        primary.channel.open();
        primary.await("ready");
        primary.channel.send(primary.checkpoint(1, 10));
        TestPrimary.await("checkpoint 1", () -> backup.log.contains("end 1"));
        relay.cut();
        primary.await("reconnected 1");
        assertNoEnd();
    }

    @Test
    void aSignOffThatCanNotBeDeliveredIsWithdrawn() throws Exception {
        primary.synchronize();
        backup.refusal = new Refusal(Refusal.Code.OTHER, "not now");
        relay.cut();
        primary.channel.signOff("unprotect");
        primary.await("sign-off unanswered");
        backup.refusal = null;
        primary.await("reconnected 1");
        primary.channel.send(primary.checkpoint(2, 10));
        primary.await("acknowledged 2");
        assertFalse(backup.log.contains("sign-off unprotect"));
        assertNoEnd();
    }

    private void assertNoEnd() {
        List<String> ends = List.of("refused", "backup lost", "channel failed");
        assertFalse(primary.heard.stream().anyMatch(ends::contains), () -> "heard " + primary.heard);
    }

    @Test
    void aConnectionLostBeforeReadyStartsOver() throws Exception {
        backup.wanted = List.of("vmlinuz");
        relay.cutAfter(1_000_000);
        primary.channel.open();
        primary.await("ready");
        assertEquals(2, backup.sessionCount.get());
        assertTrue(primary.heard.contains("disconnected"));
    }

    @Test
    void aSilentConnectionIsGivenUpAndMadeAgain() throws Exception {
        primary.synchronize();
        relay.silence(true);
        primary.channel.send(primary.checkpoint(2, 10));
        TestPrimary.await(
                "silence noticed",
                () -> primary.heard.stream().anyMatch(line -> line.startsWith("cause: it is silent")));
        relay.cut();
        relay.silence(false);
        TestPrimary.await(
                "checkpoint 2",
                () -> primary.heard.contains("acknowledged 2") || primary.heard.contains("reconnected 2"));
    }

    @Test
    void aSignOffSurvivesACut() throws Exception {
        primary.synchronize();
        relay.silence(true);
        primary.channel.signOff("unprotect");
        relay.cut();
        relay.silence(false);
        primary.await("signed off dropped: unprotect");
    }

    @Test
    void aPortThatRefusesIsReportedAsSuchAndQuickly() throws Exception {
        primary.synchronize();
        long before = System.nanoTime();
        relay.close();
        primary.await("cause: Connection refused");
        assertTrue(System.nanoTime() - before < Duration.ofSeconds(3).toNanos());
        assertFalse(primary.heard.contains("backup lost"));
        assertEquals(
                1,
                primary.heard.stream()
                        .filter("cause: Connection refused"::equals)
                        .count());
    }

    @Test
    void aBackupThatIsNotThereYetIsWaitedFor() throws Exception {
        HostAddress address;
        try (TestBackup first = new TestBackup()) {
            address = first.address();
        }
        try (TestPrimary early = new TestPrimary(address)) {
            early.channel.open();
            early.await("cause: Connection refused");
            try (ReplicationServer late = ReplicationServer.open(address, backup, TestBackup.TIME)) {
                early.await("ready");
                assertEquals(address, late.address());
            }
        }
    }

    @Test
    void closingTheChannelWhileItSendsLeavesTheStagingAlone() throws Exception {
        primary.synchronize();
        backup.stall();
        primary.channel.send(primary.checkpoint(2, 12_000));
        long before = System.nanoTime();
        primary.channel.close();
        assertTrue(System.nanoTime() - before < Duration.ofSeconds(1).toNanos());
        // Fails when a thread is still using it.
        primary.staged.close();
    }

    private List<Long> wholeEpochs() {
        return backup.checkpoints.stream()
                .map(TestBackup.Whole::epoch)
                .map(EpochId::value)
                .toList();
    }
}
