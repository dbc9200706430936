package remus.replication;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import remus.base.EpochId;
import remus.checkpoint.DiskOperation;
import remus.checkpoint.DiskWriteCount;
import remus.checkpoint.StagedCheckpoint;

/** A guest's disk writes on their way to the backup, over real connections that are cut at any byte. */
@Timeout(90)
class DiskForwardingTest {
    private static final int MAX_SECTORS = 2048;

    private TestBackup backup;
    private Relay relay;
    private TestPrimary primary;
    private final Random random = new Random(7420);
    private final byte[][] disks = new byte[2][SectorDisks.SECTORS];
    private DiskWriteCount count = DiskWriteCount.NONE;

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

    /** Writes, zeroes or trims some sectors, here and on the way to the backup. */
    private void write(long epoch, int maxSectors) {
        int disk = random.nextInt(2);
        int sectors = 1 + random.nextInt(maxSectors);
        int sector = random.nextInt(SectorDisks.SECTORS - sectors);
        DiskOperation operation = switch (random.nextInt(6)) {
            case 0 -> DiskOperation.ZERO;
            case 1 -> DiskOperation.TRIM;
            default -> DiskOperation.WRITE;
        };
        byte fill = operation == DiskOperation.WRITE ? (byte) random.nextInt(1, 256) : 0;
        long bytes = (long) sectors * SectorDisks.SECTOR_BYTES;
        byte[] data = new byte[operation == DiskOperation.WRITE ? (int) bytes : 0];
        Arrays.fill(data, fill);
        assertTrue(primary.channel.forward(
                new EpochId(epoch),
                disk,
                operation,
                (long) sector * SectorDisks.SECTOR_BYTES,
                bytes,
                MemorySegment.ofArray(data),
                0));
        Arrays.fill(disks[disk], sector, sector + sectors, fill);
        count = count.plus(data.length);
    }

    /** The checkpoint that ends {@code epoch}, with what was written since the last. */
    private StagedCheckpoint checkpoint(long epoch, int pageCount) throws Exception {
        StagedCheckpoint checkpoint = primary.checkpoint(epoch, pageCount);
        checkpoint.setDiskWrites(count);
        count = DiskWriteCount.NONE;
        return checkpoint;
    }

    private void synchronizeWithDisks(int writes) throws Exception {
        primary.channel.open();
        primary.await("ready");
        for (int i = 0; i < writes; i++) {
            write(0, MAX_SECTORS);
        }
        count = DiskWriteCount.NONE;
        primary.channel.send(checkpoint(1, 10));
        primary.await("acknowledged 1");
    }

    private void expectSameDisks() {
        for (int disk = 0; disk < 2; disk++) {
            assertArrayEquals(disks[disk], backup.disks.sectors(disk), "disk " + disk);
        }
        assertFalse(backup.disks.isTorn());
    }

    @Test
    void theSynchronizationArrivesBeforeTheFirstCheckpoint() throws Exception {
        synchronizeWithDisks(100);
        expectSameDisks();
        List<String> log = backup.log;
        assertTrue(log.lastIndexOf("disk writes 0") < log.indexOf("begin 1"), log::toString);
        assertTrue(log.contains("disk writes 0"));
    }

    @Test
    void whatIsWrittenInAnEpochIsThereWhenItsCheckpointIsWhole() throws Exception {
        synchronizeWithDisks(10);
        for (int epoch = 2; epoch <= 30; epoch++) {
            for (int i = random.nextInt(60); i >= 0; i--) {
                write(epoch, i % 5 == 0 ? MAX_SECTORS : 8);
            }
            primary.channel.send(checkpoint(epoch, 200));
            primary.await("acknowledged " + epoch);
            expectSameDisks();
        }
    }

    @Test
    void writesGoOutWhileNoCheckpointIsUnderWay() throws Exception {
        synchronizeWithDisks(1);
        write(2, 8);
        TestPrimary.await("the write", () -> backup.log.contains("disk writes 2"));
        write(2, 8);
        primary.channel.send(checkpoint(2, 10));
        primary.await("acknowledged 2");
        expectSameDisks();
    }

    @Test
    void writesOfTheNextEpochsDoNotCountBeforeTheirCheckpoint() throws Exception {
        synchronizeWithDisks(1);
        byte[][] before = {disks[0].clone(), disks[1].clone()};
        for (int i = 0; i < 20; i++) {
            write(2, 8);
        }
        TestPrimary.await("a write", () -> backup.log.contains("disk writes 2"));
        assertArrayEquals(before[0], backup.disks.sectors(0));
        assertArrayEquals(before[1], backup.disks.sectors(1));
    }

    @Test
    void diskWritesAndPagesTakeTurns() throws Exception {
        synchronizeWithDisks(1);
        backup.stall();
        // Far more of both than the socket buffers hold.
        primary.channel.send(primary.checkpoint(2, 8000));
        for (int i = 0; i < 30; i++) {
            write(3, MAX_SECTORS);
        }
        backup.goOn();
        primary.await("acknowledged 2");
        primary.channel.send(checkpoint(3, 10));
        primary.await("acknowledged 3");
        expectSameDisks();
        List<String> log = backup.log;
        int firstWrite = log.indexOf("disk writes 3");
        assertTrue(firstWrite < log.indexOf("end 2"), "writes wait for no checkpoint: " + log);
        long pagesAfter = log.subList(firstWrite, log.indexOf("end 2")).stream()
                .filter(line -> line.startsWith("pages 2"))
                .count();
        assertTrue(pagesAfter > 5, "a checkpoint waits for no writes of later epochs: " + log);
    }

    @Test
    void disksSurviveCutsAtRandomBytes() throws Exception {
        synchronizeWithDisks(20);
        for (int epoch = 2; epoch <= 40; epoch++) {
            if (epoch % 2 == 0) {
                relay.cutAfter(1 + random.nextInt(3_000_000));
            }
            for (int i = 0; i < 30; i++) {
                write(epoch, i % 4 == 0 ? MAX_SECTORS / 4 : 8);
            }
            primary.channel.send(checkpoint(epoch, 300));
            for (int i = 0; i < 10; i++) {
                write(epoch + 1, 64);
            }
            int sent = epoch;
            TestPrimary.await(
                    "epoch " + epoch + ": " + primary.heard,
                    () -> primary.heard.contains("acknowledged " + sent)
                            || primary.heard.contains("reconnected " + sent));
        }
        primary.channel.send(checkpoint(41, 10));
        TestPrimary.await(
                "epoch 41",
                () -> primary.heard.contains("acknowledged 41") || primary.heard.contains("reconnected 41"));
        expectSameDisks();
        assertTrue(backup.sessionCount.get() > 5, "only " + backup.sessionCount + " connections");
    }

    @Test
    void aDisconnectedGuestWritesOnUntilTheQueueIsFullAndThenWaits() throws Exception {
        synchronizeWithDisks(1);
        relay.silence(true);
        Thread writer = Thread.ofPlatform().daemon().start(() -> {
            for (int i = 0; i < 100; i++) {
                if (!primary.channel.forward(
                        new EpochId(2),
                        0,
                        DiskOperation.WRITE,
                        0,
                        1 << 20,
                        MemorySegment.ofArray(new byte[1 << 20]),
                        0)) {
                    return;
                }
            }
        });
        TestPrimary.await("a guest that waits", () -> writer.getState() == Thread.State.WAITING);
        // Once when it was half full, and once more as the guest had to wait: that epoch is another one by then, maybe.
        assertEquals(2, primary.heard.stream().filter("filling"::equals).count());
        primary.channel.close();
        writer.join(5000);
        assertFalse(writer.isAlive());
    }

    @Test
    void aConnectionLostWhileDisksAreSynchronizedEndsTheSession() throws Exception {
        primary.channel.open();
        primary.await("ready");
        for (int i = 0; i < 20; i++) {
            write(0, MAX_SECTORS);
        }
        relay.cut();
        primary.await("backup lost");
        TestPrimary.await(
                "the end",
                () -> !primary.channel.forward(EpochId.NONE, 0, DiskOperation.TRIM, 0, 512, MemorySegment.NULL, 0));
    }

    @Test
    void digestsComeForTheBlocksThatWereAskedFor() throws Exception {
        backup.disksWithContent = List.of("data");
        primary.channel.open();
        primary.await("content [data]");
        write(0, 8);
        primary.channel.compare(1, 0, 256);
        primary.channel.compare(1, 1600, 1);
        primary.await("digests 1 0 8192 7");
        primary.await("digests 1 1600 32 7");
        assertTrue(backup.log.indexOf("disk writes 0") < backup.log.indexOf("compare 1 0 256"));
    }

    @Test
    void aBackupWithContentOfADiskThatTheVmDoesNotHaveMakesNoSense() throws Exception {
        backup.disksWithContent = List.of("swap");
        primary.channel.open();
        TestPrimary.await(
                "nonsense noticed",
                () -> primary.heard.stream()
                        .anyMatch(line -> line.startsWith(
                                "cause: the backup broke the protocol: the backup names disks [swap]")));
    }
}
