package remus.simulation;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.BitSet;
import java.util.Deque;
import java.util.List;
import remus.base.EpochId;
import remus.base.Term;
import remus.checkpoint.CheckpointDevice;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.DiskOperation;
import remus.checkpoint.DiskWriteCount;
import remus.checkpoint.PreCopySource;
import remus.checkpoint.StagedCheckpoint;
import remus.checkpoint.StagedPages;

/** The guest's memory, disks and network as devices of a checkpoint, for one session. */
final class GuestDevices {
    private final Protection session;
    private final PrimarySide side;
    private final Guest guest;
    private final SimChannel channel;
    private final Scheduler scheduler;
    final Memory memory = new Memory();
    final Disks disks = new Disks();
    private final Nic nic = new Nic();

    GuestDevices(Protection session, PrimarySide side, SimChannel channel) {
        this.session = session;
        this.side = side;
        this.channel = channel;
        guest = side.guest();
        scheduler = side.daemon().world().scheduler();
    }

    /** The network comes last, for it sees the guest as it is sealed. */
    List<CheckpointDevice> all() {
        return List.of(memory, disks, nic);
    }

    /** A device that has nothing to do except where it says so. */
    interface Device extends CheckpointDevice {
        @Override
        default void setup() {}

        @Override
        default void suspending(EpochId epoch) {}

        @Override
        default void suspended(StagedCheckpoint checkpoint) throws CheckpointException {}

        @Override
        default void resumed(EpochId epoch) {}

        @Override
        default void commit(EpochId epoch) {}

        @Override
        default void abort() {}
    }

    /** Resets the mark first, then copies the page. */
    final class Memory implements Device, PreCopySource {
        private BitSet round = new BitSet();

        @Override
        public void setup() {
            guest.markAllDirty();
        }

        @Override
        public long beginRound() {
            round = guest.takeDirty();
            return round.cardinality();
        }

        @Override
        public boolean copyChunk(StagedPages chunk, int maxPages) throws CheckpointException {
            int limit = scheduler.between(1, Guest.PAGES);
            for (int page = round.nextSetBit(0); page >= 0 && limit > 0; page = round.nextSetBit(page + 1), limit--) {
                copy(page, chunk);
                round.clear(page);
            }
            return !round.isEmpty();
        }

        private void copy(int page, StagedPages pages) throws CheckpointException {
            int at = page * Guest.PAGE_BYTES;
            byte[] memory = guest.memory();
            int end = at + Guest.PAGE_BYTES;
            int from = at;
            while (from < end && memory[from] == 0) {
                from++;
            }
            if (from == end) {
                pages.appendZero(page, 1);
            } else {
                pages.append(page, 1, MemorySegment.ofArray(memory), at);
            }
        }

        private void capture(StagedCheckpoint checkpoint) throws CheckpointException {
            BitSet taken = guest.takeDirty();
            taken.or(round); // begun, and then found small enough to be copied in the pause
            round = new BitSet();
            for (int page = taken.nextSetBit(0); page >= 0; page = taken.nextSetBit(page + 1)) {
                copy(page, checkpoint.pages());
            }
        }

        @Override
        public void suspended(StagedCheckpoint checkpoint) throws CheckpointException {
            capture(checkpoint);
        }

        @Override
        public void saved(StagedCheckpoint checkpoint) throws CheckpointException {
            capture(checkpoint);
        }
    }

    /** Forwards writes at once with their epoch, and now and then owes the local disk a flush. */
    final class Disks implements Device, Guest.DiskObserver {
        private static final int STEP_BYTES = 256;

        private final Deque<EpochId> owed = new ArrayDeque<>();
        private EpochId tag = EpochId.NONE;
        private DiskWriteCount count = DiskWriteCount.NONE;
        private int synchronizedBytes;
        private boolean attached;
        private boolean ended;

        void attach() {
            attached = true;
        }

        /** Brings the next piece to the backup; returns whether that was the last. */
        boolean synchronizeSome() {
            int disk = synchronizedBytes / Guest.DISK_BYTES;
            int offset = synchronizedBytes % Guest.DISK_BYTES;
            MemorySegment data = MemorySegment.ofArray(guest.disks()[disk]);
            channel.forward(EpochId.NONE, disk, DiskOperation.WRITE, offset, STEP_BYTES, data, offset);
            synchronizedBytes += STEP_BYTES;
            return synchronizedBytes == Guest.DISKS * Guest.DISK_BYTES;
        }

        @Override
        public void written(int disk, DiskOperation operation, int offset, byte[] data) {
            boolean isAhead = tag.equals(EpochId.NONE) && disk * Guest.DISK_BYTES + offset >= synchronizedBytes;
            if (ended || !attached || isAhead) {
                return;
            }
            count = count.plus(operation == DiskOperation.WRITE ? data.length : 0);
            channel.forward(tag, disk, operation, offset, data.length, MemorySegment.ofArray(data), 0);
        }

        boolean isDurable(EpochId epoch) {
            return owed.isEmpty() || owed.element().isAfter(epoch);
        }

        @Override
        public void suspending(EpochId epoch) {
            channel.letWritesThrough(true);
            if (scheduler.chance(0.1)) {
                owed.add(epoch);
                boolean slow = side.daemon().machine().hasSlowDisk();
                long most = slow ? 600 * Scheduler.MILLISECOND : 4 * Scheduler.MILLISECOND;
                scheduler.after(scheduler.span(0, most), () -> {
                    owed.poll();
                    side.daemon().post(session::retryCommit);
                });
            }
        }

        @Override
        public void saved(StagedCheckpoint checkpoint) {
            if (!tag.equals(EpochId.NONE)) {
                checkpoint.setDiskWrites(count);
            }
            count = DiskWriteCount.NONE;
            tag = checkpoint.epoch().next();
        }

        @Override
        public void resumed(EpochId epoch) {
            channel.letWritesThrough(false);
        }

        @Override
        public boolean mayCommit(EpochId epoch) {
            return isDurable(epoch);
        }

        @Override
        public void abort() {
            ended = true;
        }
    }

    /** Holds output until the record or the backup allows it, and withholds input over a pause. */
    private final class Nic implements Device {
        @Override
        public boolean awaitsCommit() {
            return side.output().holdsOfOpenEpoch();
        }

        @Override
        public void suspending(EpochId epoch) {
            side.withholdInput(true);
        }

        @Override
        public void saved(StagedCheckpoint checkpoint) throws CheckpointException {
            side.output().move();
            long mark = side.firstInputNotRead();
            checkpoint.setInboundMark(mark);
            side.output().seal(checkpoint);
            byte[] state = checkpoint
                    .deviceState()
                    .segment()
                    .asSlice(0, checkpoint.deviceState().size())
                    .toArray(JAVA_BYTE);
            side.daemon().world().seals().add(session.term(), checkpoint.epoch(), Seal.of(guest, state, mark));
        }

        @Override
        public void resumed(EpochId epoch) {
            side.withholdInput(false);
        }

        @Override
        public boolean mayCommit(EpochId epoch) {
            return side.output().mayRelease(session, epoch);
        }

        @Override
        public void commit(EpochId epoch) {
            side.output().release(session, epoch);
        }

        @Override
        public void abort() {
            side.withholdInput(false);
        }
    }

    /** Bytes of QEMU's device state, which are different each time. */
    static byte[] deviceState(Term session, EpochId epoch) {
        return "devices of session %s at epoch %s".formatted(session, epoch).getBytes(StandardCharsets.US_ASCII);
    }
}
