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
        public remus.wire.OwnerAnswer answer(String vm) {
            throw new IllegalStateException("not asked here");
        }

        @Override
        public remus.wire.OwnerAnswer fence(String vm, remus.base.Term term) {
            throw new IllegalStateException("not asked here");
        }
    }

    @Test
    void signOffIsAnswered() throws Exception {
        primary.synchronize();
        primary.channel.signOff("unprotect");
        primary.await("signed off dropped: unprotect");
    }
}
