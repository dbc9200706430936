package remus.disk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.UnaryOperator;
import remus.base.EpochId;
import remus.base.Term;
import remus.checkpoint.DiskOperation;
import remus.linux.Errno;

/**
 * A backup's log and images under a random guest, with power losses and failing disks; knows what each checkpoint looked
 * like. The same seed gives the same history. Confined to one thread.
 */
final class RedoWorld implements AutoCloseable {
    static final StandbyLimits LIMITS =
            new StandbyLimits(48 << 10, 16 << 10, 2 << 20, 8 << 10, 8 << 10, 200 << 10, 24 << 10, 1_000_000_000L);
    static final long LOG_ID = 0x0123456789ABCDEFL;
    static final String VM = "shop";
    static final Term TERM = new Term(7);
    private static final int[] DISK_BYTES = {16 << 10, 6 << 10};
    private static final int EPOCHS = 24;

    /** Rules that a world may break, to show that it is noticed. */
    enum Sabotage {
        NONE,
        IMAGES_BEFORE_THE_LOG,
        LOG_EMPTIED_BEFORE_THE_IMAGES_ARE_DURABLE,
        FAILED_SYNC_IS_JUST_REPEATED
    }

    final CrashImage.Power power = new CrashImage.Power();
    final List<CrashImage> images = new ArrayList<>();
    final CrashImage logFile = new CrashImage("/var/lib/remus/shop.redo", (int) LIMITS.logBytes(), power);
    private final Random random;
    private final Sabotage sabotage;
    private final Arena arena = Arena.ofConfined();
    /** By epoch, then by disk. */
    private final List<List<byte[]>> states = new ArrayList<>();

    private final List<byte[]> content = new ArrayList<>();
    private boolean disksFail;
    private EpochId durable = EpochId.NONE;
    private boolean isBegun;
    private long nowNanos;

    RedoWorld(long seed, Sabotage sabotage) {
        this.random = new Random(seed);
        this.sabotage = sabotage;
        for (int disk = 0; disk < DISK_BYTES.length; disk++) {
            byte[] before = new byte[DISK_BYTES[disk]];
            random.nextBytes(before);
            images.add(new CrashImage("/var/lib/remus/shop-" + disk + ".raw", before, power));
            content.add(before.clone());
        }
        states.add(List.of());
    }

    RedoWorld withFailingDisks() {
        disksFail = true;
        return this;
    }

    static LogHeader header(List<CrashImage> images, long logBytes) {
        List<ReplicaDisk> disks = new ArrayList<>();
        for (CrashImage image : images) {
            disks.add(new ReplicaDisk("d" + disks.size(), image));
        }
        return RedoLog.firstHeader(LOG_ID, VM, TERM, logBytes, LogHeader.Disk.of(disks));
    }

    /** A whole session; ends early where the power fails. */
    void run() throws DiskException {
        try (RedoLog log = RedoLog.begin(logFile, header(images, LIMITS.logBytes()))) {
            WriteAheadImages ahead = new WriteAheadImages(log, sabotagedImages(), LIMITS);
            int count = random.nextInt(12);
            for (int write = 0; write < count; write++) {
                ahead.synchronize(randomWrite());
            }
            EpochWrites first = randomEpoch(1, random.nextInt(3));
            ahead.begin(first);
            isBegun = true;
            durable = first.epoch();
            for (int epoch = 2; epoch < EPOCHS; ) {
                int batch = 1 + random.nextInt(3);
                List<EpochWrites> epochs = new ArrayList<>();
                for (int i = 0; i < batch; i++) {
                    epochs.add(randomEpoch(epoch++, random.nextInt(5)));
                }
                bring(ahead, epochs);
            }
            if (random.nextInt(3) == 0) {
                retried(ahead::empty);
            }
        } catch (CrashImage.PowerLoss e) {
            assertTrue(power.isOff(), "the power is off");
        }
    }

    private void bring(WriteAheadImages ahead, List<EpochWrites> epochs) throws DiskException {
        nowNanos += random.nextInt(500_000_000);
        if (sabotage == Sabotage.IMAGES_BEFORE_THE_LOG) {
            ahead.write(epochs);
        }
        failSomething();
        retried(() -> ahead.record(epochs, nowNanos));
        durable = epochs.getLast().epoch();
        failSomething();
        try {
            ahead.write(epochs);
        } catch (DiskException e) {
            retried(ahead::repair);
        }
        if (ahead.nanosUntilDue(nowNanos) == 0 || random.nextInt(6) == 0) {
            failSomething();
            retried(ahead::empty);
        }
    }

    private void failSomething() {
        if (disksFail && random.nextInt(3) == 0) {
            int which = random.nextInt(images.size() + 1);
            CrashImage image = which == images.size() ? logFile : images.get(which);
            CrashImage.Operation operation =
                    random.nextBoolean() ? CrashImage.Operation.WRITE : CrashImage.Operation.SYNC;
            image.failNext(operation, 1 + random.nextInt(2), Errno.EIO);
        }
    }

    private interface Attempt {
        void run() throws DiskException;
    }

    private static void retried(Attempt attempt) throws DiskException {
        for (int tries = 0; ; tries++) {
            try {
                attempt.run();
                return;
            } catch (DiskException e) {
                if (tries == 8) {
                    throw e;
                }
            }
        }
    }

    private List<BlockImage> sabotagedImages() {
        UnaryOperator<BlockImage> sabotaged = switch (sabotage) {
            case NONE, IMAGES_BEFORE_THE_LOG -> image -> image;
            case LOG_EMPTIED_BEFORE_THE_IMAGES_ARE_DURABLE -> image -> new LaxImage(image, true);
            case FAILED_SYNC_IS_JUST_REPEATED -> image -> new LaxImage(image, false);
        };
        return images.stream().map(image -> sabotaged.apply(image)).toList();
    }

    private EpochWrites randomEpoch(int epoch, int operations) {
        EpochWrites writes = new EpochWrites(new EpochId(epoch));
        for (int i = 0; i < operations; i++) {
            writes.add(List.of(randomWrite()));
        }
        states.add(content.stream().map(byte[]::clone).toList());
        return writes;
    }

    private DiskWrite randomWrite() {
        int disk = random.nextInt(images.size());
        int sectors = DISK_BYTES[disk] / CrashImage.SECTOR_BYTES;
        int first = random.nextInt(sectors);
        int count = 1 + random.nextInt(Math.min(6, sectors - first));
        int offset = first * CrashImage.SECTOR_BYTES;
        int length = count * CrashImage.SECTOR_BYTES;
        DiskOperation operation = random.nextInt(4) > 0
                ? DiskOperation.WRITE
                : random.nextBoolean() ? DiskOperation.ZERO : DiskOperation.TRIM;
        byte[] bytes = new byte[length];
        if (operation == DiskOperation.WRITE) {
            random.nextBytes(bytes);
        }
        System.arraycopy(bytes, 0, content.get(disk), offset, length);
        MemorySegment data = arena.allocate(length);
        MemorySegment.copy(MemorySegment.ofArray(bytes), 0, data, 0, length);
        return new DiskWrite(disk, operation, offset, length, data, 0);
    }

    /** The machine starts again, with what {@code chance} has left of the caches, and recovers, at last undisturbed. */
    Recovery recover(Random chance, int interruptions) throws DiskException {
        for (int attempt = 0; attempt < interruptions; attempt++) {
            restart(chance);
            power.cutAfter(chance.nextInt(12));
            try {
                LogRecovery.recover(logFile, this::image);
                break;
            } catch (CrashImage.PowerLoss e) {
                assertTrue(power.isOff(), "the power is off");
            }
        }
        restart(chance);
        Recovery recovered = LogRecovery.recover(logFile, this::image);
        restart(version -> 0);
        return recovered;
    }

    private void restart(Random chance) {
        restart(chance::nextInt);
    }

    private void restart(java.util.function.IntUnaryOperator choose) {
        power.cutAfter(Long.MAX_VALUE);
        logFile.failNext(CrashImage.Operation.READ, 0, 0);
        logFile.restart(choose);
        for (CrashImage image : images) {
            image.failNext(CrashImage.Operation.READ, 0, 0);
            image.restart(choose);
        }
    }

    BlockImage image(Path path) {
        return images.stream()
                .filter(image -> image.path().equals(path))
                .findFirst()
                .orElseThrow();
    }

    /** The images equal the checkpoint that was reported, and none that had been made safe is missing. */
    void check(Recovery recovered) {
        assertEquals(VM, recovered.vm());
        assertEquals(TERM, recovered.term());
        if (!isBegun && recovered.outcome() == Recovery.Outcome.INCOMPLETE) {
            return;
        }
        assertEquals(Recovery.Outcome.CHECKPOINT, recovered.outcome());
        assertTrue(!durable.isAfter(recovered.epoch()), "recovered epoch=" + recovered.epoch() + " lost=" + durable);
        // Epochs without writes at the end of a batch are not in the log; they look like the one before.
        checkContent(recovered.epoch());
    }

    void checkContent(EpochId epoch) {
        for (int disk = 0; disk < images.size(); disk++) {
            assertArrayEquals(
                    states.get((int) epoch.value()).get(disk),
                    images.get(disk).content(),
                    "disk " + disk + " is not that of epoch=" + epoch);
        }
    }

    /** The last epoch that changed anything, up to the last that was made safe. */
    void countOnlyEpochsThatWrote() {
        while (durable.value() > 1
                && sameContent(states.get((int) durable.value()), states.get((int) durable.value() - 1))) {
            durable = new EpochId(durable.value() - 1);
        }
    }

    private static boolean sameContent(List<byte[]> one, List<byte[]> other) {
        for (int disk = 0; disk < one.size(); disk++) {
            if (!java.util.Arrays.equals(one.get(disk), other.get(disk))) {
                return false;
            }
        }
        return true;
    }

    @Override
    public void close() {
        arena.close();
    }

    /** An image whose sync does nothing, or hides its failures. */
    private record LaxImage(BlockImage image, boolean isNeverSynced) implements BlockImage {
        @Override
        public void sync() throws DiskException {
            try {
                if (!isNeverSynced) {
                    image.sync();
                }
            } catch (DiskException e) {
                image.sync();
            }
        }

        @Override
        public Path path() {
            return image.path();
        }

        @Override
        public long bytes() {
            return image.bytes();
        }

        @Override
        public void read(long offset, MemorySegment target, long at, long length) throws DiskException {
            image.read(offset, target, at, length);
        }

        @Override
        public void write(long offset, MemorySegment source, long at, long length) throws DiskException {
            image.write(offset, source, at, length);
        }

        @Override
        public void zero(long offset, long length) throws DiskException {
            image.zero(offset, length);
        }

        @Override
        public void trim(long offset, long length) throws DiskException {
            image.trim(offset, length);
        }

        @Override
        public void reserve(long offset, long length) throws DiskException {
            image.reserve(offset, length);
        }

        @Override
        public long nextData(long offset) throws DiskException {
            return image.nextData(offset);
        }

        @Override
        public boolean readCached(long offset, MemorySegment target, long at, long length) throws DiskException {
            return image.readCached(offset, target, at, length);
        }

        @Override
        public long nextHole(long offset) throws DiskException {
            return image.nextHole(offset);
        }

        @Override
        public void close() {
            image.close();
        }
    }
}
