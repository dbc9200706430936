package remus.network;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import remus.base.EpochId;
import remus.checkpoint.BackupChannel;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.DiskOperation;
import remus.checkpoint.StagedCheckpoint;
import remus.checkpoint.StagedPages;
import remus.linux.LinuxException;

@Tag("system")
class GuestNetworkSystemTest {
    private static final int LARGE_FRAME_BYTES = 1500;

    /** What a test does with one interface; runs in a namespace of its own. */
    @FunctionalInterface
    private interface Body {
        void run(NicRig rig, GuestNetwork network) throws Exception;
    }

    private static void withNetwork(Body body) throws Exception {
        NicRig.inNamespace(() -> {
            try (NicRig rig = new NicRig("br0")) {
                body.run(rig, new GuestNetwork(List.of(rig.nic())));
            }
            return null;
        });
    }

    @Test
    void outputFlowsInOrderWhileNobodyHoldsIt() throws Exception {
        withNetwork((rig, network) -> {
            rig.qemuSends(1, 2, 3);
            network.moveOutput();
            assertEquals(List.of(1, 2, 3), rig.clientReceives());
        });
    }

    @Test
    void aFrameThatComesInPiecesIsSentOnWhole() throws Exception {
        withNetwork((rig, network) -> {
            byte[] stream = NicRig.streamOf(7, LARGE_FRAME_BYTES);
            int sent = 0;
            for (int end : new int[] {1, 3, 4, 5, 700, stream.length - 1}) {
                rig.qemuSends(stream, sent, end - sent);
                sent = end;
                network.moveOutput();
                assertEquals(List.of(), rig.clientReceives(), "after " + end + " bytes");
            }
            rig.qemuSends(stream, sent, stream.length - sent);
            rig.qemuSends(8);
            network.moveOutput();
            assertEquals(List.of(7, 8), rig.clientReceives());
        });
    }

    /** The read buffer is met at its end by each part of a frame sooner or later. */
    @Test
    void muchOutputKeepsItsOrderAndLosesNothing() throws Exception {
        withNetwork((rig, network) -> {
            List<Integer> expected = new ArrayList<>();
            List<Integer> received = new ArrayList<>();
            for (int number = 1; number <= 3000; number++) {
                byte[] stream = NicRig.streamOf(number, NicRig.FRAME_BYTES + number * 7919 % 1400);
                rig.qemuSends(stream, 0, stream.length);
                expected.add(number);
                if (number % 30 == 0) {
                    network.moveOutput();
                    received.addAll(rig.clientReceives());
                }
            }
            assertEquals(expected, received);
        });
    }

    @Test
    void outputIsNeverReleasedBeforeItsEpochIsCommitted() throws Exception {
        withNetwork((rig, network) -> {
            network.hold(epoch(1));
            rig.qemuSends(1, 2);
            network.moveOutput();
            assertEquals(List.of(), rig.clientReceives());
            assertEquals(2, seal(network, 1).outputFrameCount());
            rig.qemuSends(3);
            network.moveOutput();
            assertEquals(List.of(), rig.clientReceives());
            network.commit(epoch(1));
            assertEquals(List.of(1, 2), rig.clientReceives());
            seal(network, 2);
            assertEquals(List.of(), rig.clientReceives());
            network.commit(epoch(2));
            assertEquals(List.of(3), rig.clientReceives());
        });
    }

    @Test
    void allThatIsInTheSocketAtTheSealBelongsToTheEpoch() throws Exception {
        withNetwork((rig, network) -> {
            network.hold(epoch(1));
            int[] numbers = IntStream.rangeClosed(1, 200).toArray();
            rig.qemuSends(numbers);
            assertEquals(200, seal(network, 1).outputFrameCount());
            network.commit(epoch(1));
            assertEquals(IntStream.of(numbers).boxed().toList(), rig.clientReceives());
        });
    }

    @Test
    void aFrameOfWhichAPartCameAtTheSealWaitsForTheNextEpoch() throws Exception {
        withNetwork((rig, network) -> {
            network.hold(epoch(1));
            byte[] stream = NicRig.streamOf(2, LARGE_FRAME_BYTES);
            rig.qemuSends(1);
            rig.qemuSends(stream, 0, 100);
            assertEquals(1, seal(network, 1).outputFrameCount());
            rig.qemuSends(stream, 100, stream.length - 100);
            network.moveOutput();
            network.commit(epoch(1));
            assertEquals(List.of(1), rig.clientReceives());
            assertEquals(1, seal(network, 2).outputFrameCount());
            network.commit(epoch(2));
            assertEquals(List.of(2), rig.clientReceives());
        });
    }

    @Test
    void whoIsAloneReleasesAllAndMayHoldAgain() throws Exception {
        withNetwork((rig, network) -> {
            network.hold(epoch(1));
            rig.qemuSends(1);
            seal(network, 1);
            rig.qemuSends(2);
            network.moveOutput();
            network.flow();
            rig.qemuSends(3);
            network.moveOutput();
            assertEquals(List.of(1, 2, 3), rig.clientReceives());
            network.hold(epoch(1));
            rig.qemuSends(4);
            seal(network, 1);
            assertEquals(List.of(), rig.clientReceives());
            network.commit(epoch(1));
            assertEquals(List.of(4), rig.clientReceives());
        });
    }

    @Test
    void whoHasLostTheVmReleasesNothing() throws Exception {
        withNetwork((rig, network) -> {
            network.hold(epoch(1));
            rig.qemuSends(1);
            seal(network, 1);
            network.discard();
            rig.qemuSends(2);
            network.moveOutput();
            network.commit(epoch(1));
            assertEquals(List.of(), rig.clientReceives());
        });
    }

    @Test
    void inputGoesStraightInAndIsMirroredInOrder() throws Exception {
        withNetwork((rig, network) -> {
            Mirror mirror = new Mirror();
            network.mirrorTo(mirror);
            for (int number = 11; number <= 13; number++) {
                rig.clientSends(number, LARGE_FRAME_BYTES);
            }
            rig.awaitInput();
            network.moveInput();
            assertEquals(List.of(11, 12, 13), rig.qemuReceives());
            assertEquals(List.of("1: 0/11", "2: 0/12", "3: 0/13"), mirror.frames);
        });
    }

    @Test
    void inputIsWithheldFromBeforeThePauseUntilAfterIt() throws Exception {
        withNetwork((rig, network) -> {
            rig.clientSends(1, NicRig.FRAME_BYTES);
            rig.awaitInput();
            network.moveInput();
            assertEquals(List.of(1), rig.qemuReceives());
            network.suspending(epoch(1));
            assertTrue(network.inboundWithheld());
            rig.clientSends(2, NicRig.FRAME_BYTES);
            rig.awaitInput();
            network.moveInput();
            StagedCheckpoint checkpoint = sealOnly(network, 1);
            network.moveInput();
            assertEquals(List.of(1), rig.qemuReceives());
            assertEquals(2, checkpoint.inboundMark(), "QEMU has read frame 1; frame 2 is the next epoch's");
            network.resumed(epoch(1));
            network.moveInput();
            assertEquals(List.of(1, 2), rig.qemuReceives());
        });
    }

    @Test
    void aSessionThatEndsInThePauseLetsInputInAgain() throws Exception {
        withNetwork((rig, network) -> {
            network.suspending(epoch(1));
            network.abort();
            rig.clientSends(1, NicRig.FRAME_BYTES);
            rig.awaitInput();
            network.moveInput();
            assertEquals(List.of(1), rig.qemuReceives());
        });
    }

    /** In doubt a frame is replayed, never dropped: whatever QEMU has read so far, the mark is not beyond the next. */
    @Test
    void whatQemuMayNotHaveReadIsReplayed() throws Exception {
        withNetwork((rig, network) -> {
            network.mirrorTo(new Mirror());
            int count = 20;
            for (int number = 1; number <= count; number++) {
                rig.clientSends(number, NicRig.FRAME_BYTES);
            }
            rig.awaitInput();
            network.moveInput();
            int streamBytes = 4 + NicRig.FRAME_BYTES;
            assertEquals(1, markAt(network, 1), "nothing was read");
            int read = 0;
            for (int step :
                    new int[] {1, 3, streamBytes - 4, 1, 5 * streamBytes, 100, 12 * streamBytes - 101, streamBytes - 1
                    }) {
                assertEquals(step, rig.qemuReads(step));
                read += step;
                long firstUnread = 1L + read / streamBytes;
                long mark = markAt(network, 1);
                assertTrue(mark <= firstUnread, "read=" + read + " mark=" + mark + " first unread=" + firstUnread);
                assertTrue(mark >= 1, "read=" + read + " mark=" + mark);
            }
            assertEquals(count * streamBytes, read + rig.qemuReads(1 << 20));
            assertEquals(count + 1, markAt(network, 1), "all was read: nothing is in doubt");
        });
    }

    @Test
    void whenQemusSocketIsFullTheTapIsLeftAloneAndNothingIsLost() throws Exception {
        withNetwork((rig, network) -> {
            Mirror mirror = new Mirror();
            network.mirrorTo(mirror);
            int sent = 0;
            while (!rig.nic().wantsToWrite()) {
                rig.clientSends(++sent, LARGE_FRAME_BYTES);
                rig.awaitInput();
                network.moveInput();
                assertTrue(sent < 5000, "the socket never fills");
            }
            assertEquals(sent, mirror.frames.size());
            for (int i = 0; i < 10; i++) {
                rig.clientSends(++sent, LARGE_FRAME_BYTES);
            }
            rig.awaitInput();
            network.moveInput();
            assertEquals(sent - 10, mirror.frames.size(), "frames that were not taken are not mirrored");
            assertTrue(markAt(network, 1) <= sent - 10, "the frame that waits here is in doubt");
            for (int i = 0; i < 1000 && rig.qemuReceives().size() < sent; i++) {
                rig.nic().flushToGuest();
                network.moveInput();
            }
            assertEquals(IntStream.rangeClosed(1, sent).boxed().toList(), rig.qemuReceives());
            assertFalse(rig.nic().wantsToWrite());
            assertEquals(sent, mirror.frames.size());
            assertEquals("%d: 0/%d".formatted(sent, sent), mirror.frames.getLast());
        });
    }

    @Test
    void replayedInputGoesInBeforeWhatTheTapHas() throws Exception {
        withNetwork((rig, network) -> {
            rig.clientSends(3, NicRig.FRAME_BYTES);
            rig.awaitInput();
            for (int number = 1; number <= 2; number++) {
                MemorySegment frame = rig.held(0, number);
                network.replayInbound(frame, 0, (int) frame.byteSize());
            }
            network.moveInput();
            assertEquals(List.of(1, 2, 3), rig.qemuReceives());
        });
    }

    @Test
    void muchReplayedInputWaitsForRoomAndKeepsItsOrder() throws Exception {
        withNetwork((rig, network) -> {
            int count = 3000;
            for (int number = 1; number <= count; number++) {
                MemorySegment frame = rig.held(0, number);
                network.replayInbound(frame, 0, (int) frame.byteSize());
            }
            assertTrue(rig.nic().wantsToWrite());
            rig.clientSends(count + 1, NicRig.FRAME_BYTES);
            rig.awaitInput();
            for (int i = 0; i < 1000 && rig.qemuReceives().size() <= count; i++) {
                network.moveInput();
            }
            assertEquals(IntStream.rangeClosed(1, count + 1).boxed().toList(), rig.qemuReceives());
        });
    }

    @Test
    void framesFromTheBackupThatMakeNoSenseHarmNobody() throws Exception {
        withNetwork((rig, network) -> {
            MemorySegment unknown = rig.held(1, 1);
            network.replayInbound(unknown, 0, (int) unknown.byteSize());
            network.rereleaseOutput(unknown, 0, (int) unknown.byteSize());
            MemorySegment empty = rig.held(0, 2);
            network.replayInbound(empty, 0, 1);
            network.rereleaseOutput(empty, 0, 1);
            MemorySegment good = rig.held(0, 3);
            network.replayInbound(good, 0, (int) good.byteSize());
            assertEquals(List.of(3), rig.qemuReceives());
            good = rig.held(0, 4);
            network.rereleaseOutput(good, 0, (int) good.byteSize());
            assertEquals(List.of(4), rig.clientReceives());
            GuestNetwork without = new GuestNetwork(List.of());
            without.replayInbound(good, 0, (int) good.byteSize());
            without.rereleaseOutput(good, 0, (int) good.byteSize());
            without.close();
        });
    }

    @Test
    void eachInterfaceReleasesItsOwnFrames() throws Exception {
        NicRig.inNamespace(() -> {
            try (NicRig first = new NicRig("br0");
                    NicRig second = new NicRig("br1")) {
                GuestNetwork network = new GuestNetwork(List.of(first.nic(), second.nic()));
                Mirror mirror = new Mirror();
                network.mirrorTo(mirror);
                network.hold(epoch(1));
                second.qemuSends(21);
                first.qemuSends(11);
                network.moveOutput();
                second.qemuSends(22);
                seal(network, 1);
                network.commit(epoch(1));
                assertEquals(List.of(11), first.clientReceives());
                assertEquals(List.of(21, 22), second.clientReceives());

                second.clientSends(1, NicRig.FRAME_BYTES);
                second.awaitInput();
                network.moveInput();
                first.clientSends(2, NicRig.FRAME_BYTES);
                first.awaitInput();
                network.moveInput();
                assertEquals(List.of("1: 1/1", "2: 0/2"), mirror.frames);
                first.qemuReceives();
                assertEquals(1, markAt(network, 2), "the other interface has read all, this one has not");
            }
            return null;
        });
    }

    @Test
    void framesThatTheTapDoesNotTakeAreCounted() throws Exception {
        NicRig.inNamespace(() -> {
            try (NicRig rig = new NicRig("br0")) {
                GuestNetwork network = new GuestNetwork(List.of(rig.nic()));
                byte[] tooShortForEthernet = {0, 0, 0, 4, 1, 2, 3, 4};
                rig.qemuSends(tooShortForEthernet, 0, tooShortForEthernet.length);
                rig.qemuSends(1);
                network.moveOutput();
                assertEquals(List.of(1), rig.clientReceives());
                assertEquals(1, rig.nic().tapDropCount());
            }
            return null;
        });
    }

    @Test
    void aQemuThatSendsNonsenseOrIsGoneIsAnError() throws Exception {
        for (int length : new int[] {0, -1, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
            withNetwork((rig, network) -> {
                byte[] header = {(byte) (length >> 24), (byte) (length >> 16), (byte) (length >> 8), (byte) length};
                rig.qemuSends(header, 0, 4);
                LinuxException failure = assertThrows(LinuxException.class, network::moveOutput);
                assertTrue(String.valueOf(failure.getMessage()).contains("frame of " + length), failure::toString);
            });
        }
        withNetwork((rig, network) -> {
            network.hold(epoch(1));
            rig.qemuCloses();
            assertThrows(LinuxException.class, network::moveOutput);
            assertThrows(CheckpointException.class, () -> seal(network, 1));
        });
    }

    private static EpochId epoch(long value) {
        return new EpochId(value);
    }

    private static StagedCheckpoint seal(GuestNetwork network, long epoch) throws CheckpointException {
        network.suspending(epoch(epoch));
        StagedCheckpoint checkpoint = sealOnly(network, epoch);
        network.resumed(epoch(epoch));
        return checkpoint;
    }

    private static StagedCheckpoint sealOnly(GuestNetwork network, long epoch) throws CheckpointException {
        try (StagedCheckpoint checkpoint =
                new StagedCheckpoint(new StagedPages(4096, 4096), GuestNetwork.OUTPUT_LIMIT_BYTES)) {
            checkpoint.begin(epoch(epoch), epoch == 1);
            network.suspended(checkpoint);
            network.saved(checkpoint);
            return checkpoint;
        }
    }

    /** Where the mirror would be cut if the epoch ended now; output flows, so no epoch is sealed. */
    private static long markAt(GuestNetwork network, long epoch) throws CheckpointException {
        network.suspending(epoch(epoch));
        try (StagedCheckpoint checkpoint =
                new StagedCheckpoint(new StagedPages(4096, 4096), GuestNetwork.OUTPUT_LIMIT_BYTES)) {
            checkpoint.begin(epoch(epoch), epoch == 1);
            network.saved(checkpoint);
            network.resumed(epoch(epoch));
            return checkpoint.inboundMark();
        }
    }

    /** Notes what is mirrored: {@code sequence: interface/number}. */
    private static final class Mirror implements BackupChannel {
        private final List<String> frames = new ArrayList<>();

        @Override
        public void mirrorInbound(long sequence, MemorySegment memory, long offset, int length) {
            frames.add("%d: %d/%d"
                    .formatted(sequence, memory.get(JAVA_BYTE, offset), NicRig.numberOf(memory, offset + 1)));
        }

        @Override
        public void open() {}

        @Override
        public void send(StagedCheckpoint checkpoint) {}

        @Override
        public void sendPages(StagedPages chunk) {}

        @Override
        public void reportReleased(EpochId epoch) {}

        @Override
        public void heartbeat(EpochId sealed) {}

        @Override
        public void reportGuestDead(String reason) {}

        @Override
        public void handOver(long pausedNanos, String reason) {}

        @Override
        public boolean forward(
                EpochId epoch,
                int disk,
                DiskOperation operation,
                long offset,
                long length,
                MemorySegment data,
                long dataOffset) {
            return true;
        }

        @Override
        public void letWritesThrough(boolean through) {}

        @Override
        public void compare(int disk, long firstBlock, int count) {}

        @Override
        public void reconnect(String reason) {}

        @Override
        public void signOff(String reason) {}

        @Override
        public void close() {}
    }
}
