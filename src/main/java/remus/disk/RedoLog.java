package remus.disk;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.Invariant;
import remus.base.Term;

/**
 * The redo log beside a backup's images: the writes of whole checkpoints, durable before the first of them reaches an
 * image. So images and log together equal a whole checkpoint whenever the power goes; {@link LogRecovery} brings it about.
 * The format is in docs/DISK-FORMAT.md.
 *
 * <p>Invariants: a header is never written over the one in force; records begin on blocks of their own, so that no write
 * touches what was durable before; after a header could not be written, nothing else is until it could.
 *
 * <p>States and their triggers: see {@link LogHeader.State}. One thread at a time. After a {@link DiskException} the log
 * is as before, and the same may be tried again.
 */
public final class RedoLog implements AutoCloseable {
    /** Where the first record stands. */
    static final long RECORDS_OFFSET = (long) LogHeader.SLOTS * LogHeader.SLOT_BYTES;

    /** Records begin at multiples of this: the largest block that disks and page caches write at once. */
    static final long ALIGNMENT_BYTES = 4096;

    /** Left free at the end of the file: some formats of images are known by what stands there, and a guest's data could. */
    static final long UNUSED_BYTES = ALIGNMENT_BYTES;

    private final BlockImage file;
    private final Arena arena = Arena.ofShared();
    private final RecordWriter writer;
    private final RecordReader reader;
    private final MemorySegment headerBytes = arena.allocate(LogHeader.SLOT_BYTES);
    private LogHeader header;
    /** The header to be in force, until it is durable. */
    private @Nullable LogHeader unwritten;

    private long end = RECORDS_OFFSET;
    private long recordCount;

    private RedoLog(BlockImage file, LogHeader header) {
        this.file = file;
        this.header = header;
        this.writer = new RecordWriter(file, arena);
        this.reader = new RecordReader(file, header.logId(), arena);
    }

    /**
     * Makes the log of a new session, with all its space, in state SYNCHRONIZING; durable when this returns.
     *
     * @param path where no log may be: an old one is first recovered, then removed
     */
    static RedoLog create(Path path, LogHeader first) throws DiskException {
        if (Files.exists(path)) {
            throw DiskException.unusable(
                    "there is a redo log already: %s; recover and remove it first".formatted(path), null);
        }
        Path partial = DurableFiles.partial(path);
        DurableFiles.removeIfThere(partial);
        try (RawImage file = RawImage.create(partial, first.capacityBytes())) {
            file.reserve(0, first.capacityBytes());
            begin(file, first).arena.close();
        } catch (DiskException e) {
            removeAfter(e, partial);
            throw e;
        }
        DurableFiles.rename(partial, path);
        return new RedoLog(RawImage.openLog(path), first);
    }

    private static void removeAfter(DiskException cause, Path partial) {
        try {
            DurableFiles.removeIfThere(partial);
        } catch (DiskException e) {
            cause.addSuppressed(e);
        }
    }

    /**
     * Applies all complete records to the images that the log names, makes these durable and empties the log. The log
     * and the images must not be in use. May be interrupted at any point and repeated.
     *
     * @throws DiskException where the log or an image can't be used; what the images are is then not known
     */
    public static Recovery recover(Path path) throws DiskException {
        return LogRecovery.recover(RawImage.openLog(path), RawImage::open);
    }

    /**
     * What {@link #recover} would make of the images, without a change of anything: the epoch is the one that they equal
     * without the log's records. The log must not be in use.
     *
     * @throws DiskException where the log can't be used
     */
    public static Recovery inspect(Path path) throws DiskException {
        return LogRecovery.inspect(RawImage.openLog(path));
    }

    /** Removes a log that nobody uses; durable when this returns. Nothing happens where there is none. */
    public static void remove(Path path) throws DiskException {
        if (Files.exists(path)) {
            // Whoever has it open holds its lock.
            RawImage.openLog(path).close();
        }
        DurableFiles.removeIfThere(path);
    }

    /** Writes the first header into an empty file, which is this log's from now on. */
    static RedoLog begin(BlockImage file, LogHeader first) throws DiskException {
        Invariant.check(first.capacityBytes() == file.bytes(), "a log of %d bytes", first.capacityBytes());
        RedoLog log = new RedoLog(file, first);
        try {
            log.unwritten = first;
            log.writeHeader();
            return log;
        } catch (DiskException e) {
            log.arena.close();
            throw e;
        }
    }

    /**
     * The header of a new log.
     *
     * @param logId a random number
     */
    static LogHeader firstHeader(long logId, String vm, Term term, long capacityBytes, List<LogHeader.Disk> disks) {
        return new LogHeader(LogHeader.State.SYNCHRONIZING, 1, logId, vm, term, EpochId.NONE, capacityBytes, disks);
    }

    /** A log that exists, for its recovery. */
    static RedoLog opened(BlockImage file, LogHeader header) {
        return new RedoLog(file, header);
    }

    LogHeader.State state() {
        return header.state();
    }

    RecordReader reader() {
        return reader;
    }

    /** Bytes of the records. */
    long usedBytes() {
        return end - RECORDS_OFFSET;
    }

    /** Bytes that a record of {@code writes} takes. */
    static long recordBytes(EpochWrites writes) {
        return aligned(RecordHead.length(writes.writes().size(), writes.dataBytes()));
    }

    boolean hasRoomFor(long recordBytes) {
        return recordBytes <= header.capacityBytes() - UNUSED_BYTES - end;
    }

    static long aligned(long bytes) {
        return (bytes + ALIGNMENT_BYTES - 1) / ALIGNMENT_BYTES * ALIGNMENT_BYTES;
    }

    /** Adds a record for each epoch that wrote something; all are durable when this returns. */
    void append(List<EpochWrites> epochs) throws DiskException {
        Invariant.check(header.state() == LogHeader.State.CONSISTENT, "a record for a log that is %s", header.state());
        writeHeader();
        long at = end;
        long sequence = recordCount;
        for (EpochWrites writes : epochs) {
            if (!writes.isEmpty()) {
                long bytes = recordBytes(writes);
                Invariant.check(
                        bytes <= header.capacityBytes() - UNUSED_BYTES - at, "no room for epoch=%s", writes.epoch());
                writer.write(at, head(sequence, writes), writes);
                at += bytes;
                sequence++;
            }
        }
        if (sequence != recordCount) {
            file.sync();
            end = at;
            recordCount = sequence;
        }
    }

    private RecordHead head(long sequence, EpochWrites writes) {
        int count = writes.writes().size();
        return new RecordHead(
                0,
                header.logId(),
                header.generation(),
                sequence,
                recordCount,
                writes.epoch(),
                RecordHead.length(count, writes.dataBytes()),
                count);
    }

    /** Applies all records to the images once more, for what they took before may be lost. */
    void replay(List<? extends BlockImage> images) throws DiskException {
        long at = RECORDS_OFFSET;
        for (long sequence = 0; sequence < recordCount; sequence++) {
            RecordHead head = reader.head(at);
            if (head == null
                    || head.generation() != header.generation()
                    || head.sequence() != sequence
                    || !reader.isWhole(at, head)) {
                throw DiskException.unusable(
                        "the redo log %s does not give back record %d, which it took".formatted(file.path(), sequence),
                        null);
            }
            reader.apply(at, head, images);
            at += aligned(head.length());
        }
    }

    /** The images are durable and equal the checkpoint {@code base}: forgets all records, and that by a new header. */
    void startFrom(EpochId base) throws DiskException {
        Invariant.check(header.state() != LogHeader.State.ENDED, "the log has ended");
        unwritten = header.next(LogHeader.State.CONSISTENT, base);
        writeHeader();
    }

    /**
     * The images are durable, equal the checkpoint {@code last} and are no concern of this log from now on. Both slots
     * say so: whichever may be lost later, these records are never applied to what a guest has written since.
     */
    void end(EpochId last) throws DiskException {
        unwritten = header.next(LogHeader.State.ENDED, last);
        writeHeader();
        unwritten = header.next(LogHeader.State.ENDED, last);
        writeHeader();
    }

    private void writeHeader() throws DiskException {
        LogHeader next = unwritten;
        if (next == null) {
            return;
        }
        ByteBuffer bytes = next.encode();
        MemorySegment.copy(MemorySegment.ofBuffer(bytes), 0, headerBytes, 0, bytes.limit());
        file.write(next.slotOffset(), headerBytes, 0, bytes.limit());
        file.sync();
        header = next;
        unwritten = null;
        end = RECORDS_OFFSET;
        recordCount = 0;
    }

    @Override
    public void close() {
        try {
            file.close();
        } finally {
            arena.close();
        }
    }
}
