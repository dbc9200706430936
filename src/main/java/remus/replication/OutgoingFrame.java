package remus.replication;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Arrays;
import remus.base.EpochId;
import remus.base.Invariant;
import remus.base.Time;
import remus.checkpoint.OutgoingPages;
import remus.wire.FrameEncoder;
import remus.wire.FrameType;
import remus.wire.WireLimits;

/**
 * The one frame that is being sent: its head in a buffer of its own, the bulk of its payload where it lies, written
 * together without a copy. Confined to the channel's thread.
 */
final class OutgoingFrame implements OutgoingPages.Parts {
    /** Room for the longest head: a hello, a table of zero pages, or a batch of mirrored input. */
    private static final int HEAD_BYTES = 192 << 10;

    private final Transport transport;
    private final FrameEncoder encoder;
    private final LinkSpeed link;
    private final Time time;
    private final ByteBuffer head = ByteBuffer.allocateDirect(HEAD_BYTES);
    private final ByteBuffer[] parts = new ByteBuffer[1 + WireLimits.MAX_PAGE_RUNS];
    private int partCount = 1;
    private int writtenParts;
    private boolean sent = true;

    /** @param link is told of what the connection takes, and when it takes no more */
    OutgoingFrame(Transport transport, FrameEncoder encoder, LinkSpeed link, Time time) {
        this.transport = transport;
        this.encoder = encoder;
        this.link = link;
        this.time = time;
        parts[0] = head;
    }

    /** Starts a frame; the caller puts the head of its payload into the buffer that is returned. */
    ByteBuffer begin() {
        Invariant.check(sent, "a frame was begun before the last one was sent");
        // References to staged memory are not kept beyond the frame that needed them.
        Arrays.fill(parts, 1, partCount, null);
        partCount = 1;
        return FrameEncoder.begin(head);
    }

    /** Adds memory that follows the head, and must stay as it is until the frame is sent. */
    @Override
    public void addPart(MemorySegment memory, long offset, long length) {
        parts[partCount++] = memory.asSlice(offset, length).asByteBuffer();
    }

    /** As {@link #addPart(MemorySegment, long, long)}, from the position to the limit of {@code bytes}. */
    void addPart(ByteBuffer bytes) {
        parts[partCount++] = bytes;
    }

    /** Completes the frame, of which nothing has been written yet; returns its bytes. */
    @CanIgnoreReturnValue
    long finish(FrameType type, EpochId epoch) {
        encoder.finish(type, epoch, parts, partCount);
        writtenParts = 0;
        sent = false;
        long bytes = 0;
        for (int i = 0; i < partCount; i++) {
            bytes += parts[i].remaining();
        }
        return bytes;
    }

    boolean isSent() {
        return sent;
    }

    /** Writes as much as the connection takes; returns whether all is written. */
    boolean write() throws IOException {
        while (!sent) {
            long count = transport.write(parts, writtenParts, partCount - writtenParts);
            while (writtenParts < partCount && !parts[writtenParts].hasRemaining()) {
                writtenParts++;
            }
            sent = writtenParts == partCount;
            link.wrote(count);
            if (count == 0 && !sent) {
                link.full(time.nanos());
                return false;
            }
        }
        return true;
    }
}
