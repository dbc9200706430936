package remus.disk;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.base.CloseStack;
import remus.base.EpochId;

/**
 * Brings images up to the last checkpoint that is complete in their redo log, after a backup's daemon or host has died.
 *
 * <p>Invariants: all records are checked before the first one is applied; images are durable before the log is emptied,
 * so an interrupted recovery is repeated from its beginning and comes to the same end. What a power loss can leave at the
 * log's tail is ignored; damage that it can't have caused is refused, for then nobody knows what the images are.
 */
final class LogRecovery {
    /** How an image of the log is opened. */
    @FunctionalInterface
    interface Opener {
        BlockImage open(Path path) throws DiskException;
    }

    /** A record that is complete. */
    private record Found(long position, RecordHead head) {}

    private final BlockImage file;
    private final Opener opener;

    private LogRecovery(BlockImage file, Opener opener) {
        this.file = file;
        this.opener = opener;
    }

    /** Recovers what belongs to the log in {@code file}, which is closed afterwards. */
    static Recovery recover(BlockImage file, Opener opener) throws DiskException {
        LogRecovery recovery = new LogRecovery(file, opener);
        LogHeader header;
        try {
            header = recovery.header();
        } catch (DiskException e) {
            file.close();
            throw e;
        }
        try (RedoLog log = RedoLog.opened(file, header)) {
            return switch (header.state()) {
                case SYNCHRONIZING -> result(header, Recovery.Outcome.INCOMPLETE, header.base(), 0);
                case ENDED -> result(header, Recovery.Outcome.ENDED, header.base(), 0);
                case CONSISTENT -> recovery.replay(log, header);
            };
        }
    }

    /** What the log in {@code file}, which is closed afterwards, says of its images. */
    static Recovery inspect(BlockImage file) throws DiskException {
        try (file) {
            LogHeader header = new LogRecovery(file, RawImage::open).header();
            return switch (header.state()) {
                case SYNCHRONIZING -> result(header, Recovery.Outcome.INCOMPLETE, header.base(), 0);
                case ENDED -> result(header, Recovery.Outcome.ENDED, header.base(), 0);
                case CONSISTENT -> result(header, Recovery.Outcome.CHECKPOINT, header.base(), 0);
            };
        }
    }

    private static Recovery result(LogHeader header, Recovery.Outcome outcome, EpochId epoch, int replayed) {
        List<Path> images = header.disks().stream().map(LogHeader.Disk::path).toList();
        return new Recovery(outcome, header.vm(), header.term(), epoch, images, replayed);
    }

    private LogHeader header() throws DiskException {
        if (file.bytes() < RedoLog.RECORDS_OFFSET) {
            throw damaged("it has only %d bytes".formatted(file.bytes()));
        }
        @Nullable LogHeader newest = null;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment slot = arena.allocate(LogHeader.SLOT_BYTES);
            for (long offset = 0; offset < RedoLog.RECORDS_OFFSET; offset += LogHeader.SLOT_BYTES) {
                file.read(offset, slot, 0, LogHeader.SLOT_BYTES);
                @Nullable LogHeader header = LogHeader.decode(slot.asByteBuffer());
                if (header != null && header.slotOffset() != offset) {
                    throw damaged("a header stands in the wrong place");
                }
                if (header != null && newest != null && header.logId() != newest.logId()) {
                    throw damaged("its headers belong to different logs");
                }
                if (header != null && (newest == null || header.generation() > newest.generation())) {
                    newest = header;
                }
            }
        }
        if (newest == null) {
            throw damaged("it has no header");
        }
        if (newest.capacityBytes() != file.bytes()) {
            throw damaged("it has %d bytes expected=%d".formatted(file.bytes(), newest.capacityBytes()));
        }
        return newest;
    }

    private Recovery replay(RedoLog log, LogHeader header) throws DiskException {
        List<Found> records = records(log.reader(), header);
        if (records.isEmpty()) {
            return result(header, Recovery.Outcome.CHECKPOINT, header.base(), 0);
        }
        EpochId last = records.getLast().head().epoch();
        try (CloseStack opened = new CloseStack()) {
            List<BlockImage> images = new ArrayList<>();
            for (LogHeader.Disk disk : header.disks()) {
                BlockImage image = opened.push(opener.open(disk.path()));
                if (image.bytes() != disk.bytes()) {
                    throw damaged("the image %s of its disk %s has %d bytes expected=%d"
                            .formatted(disk.path(), disk.name(), image.bytes(), disk.bytes()));
                }
                images.add(image);
            }
            for (Found record : records) {
                log.reader().apply(record.position(), record.head(), images);
            }
            for (BlockImage image : images) {
                image.sync();
            }
            log.startFrom(last);
        }
        return result(header, Recovery.Outcome.CHECKPOINT, last, records.size());
    }

    /** The complete records of the header's generation, in order, each one checked. */
    private List<Found> records(RecordReader reader, LogHeader header) throws DiskException {
        List<Found> found = new ArrayList<>();
        long position = RedoLog.RECORDS_OFFSET;
        EpochId last = header.base();
        while (true) {
            @Nullable RecordHead head = reader.head(position);
            if (head == null
                    || head.generation() != header.generation()
                    || head.sequence() != found.size()
                    || !reader.isWhole(position, head)) {
                break;
            }
            reader.check(position, head, header.disks());
            if (!head.epoch().isAfter(last)) {
                throw damaged("epoch=%s follows epoch=%s".formatted(head.epoch(), last));
            }
            last = head.epoch();
            found.add(new Found(position, head));
            position += RedoLog.aligned(head.length());
        }
        checkTail(reader, header, position, found.size());
        return found;
    }

    /**
     * A power loss tears only what was not durable yet. A complete record behind the torn place which says that more
     * than {@code complete} were durable before it, or one of a later header, proves another kind of damage.
     */
    private void checkTail(RecordReader reader, LogHeader header, long tail, int complete) throws DiskException {
        long position = tail;
        while (position < file.bytes() - RecordHead.BYTES) {
            @Nullable RecordHead head = reader.head(position);
            if (head != null
                    && (head.generation() > header.generation()
                            || (head.generation() == header.generation() && head.durableCount() > complete))
                    && reader.isWhole(position, head)) {
                throw damaged("record %d of generation %d follows a damaged one"
                        .formatted(head.sequence(), head.generation()));
            }
            long next = file.nextData(Math.min(position + RedoLog.ALIGNMENT_BYTES, file.bytes()));
            position = next / RedoLog.ALIGNMENT_BYTES * RedoLog.ALIGNMENT_BYTES;
        }
    }

    private DiskException damaged(String why) {
        return DiskException.unusable(
                ("the redo log %s is damaged: %s; what its images hold is not known. Keep them away from any guest, or"
                                + " remove the log to have them synchronized anew")
                        .formatted(file.path(), why),
                null);
    }
}
