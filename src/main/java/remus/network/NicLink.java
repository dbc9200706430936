package remus.network;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import remus.checkpoint.BackupChannel;
import remus.checkpoint.FrameRing;
import remus.checkpoint.OutputBuffer;
import remus.linux.Errno;
import remus.linux.FileDescriptor;
import remus.linux.LinuxException;
import remus.linux.Tap;
import remus.linux.UnixStreamSocket;

/**
 * One network interface of a running VM: QEMU's NIC socket on one side ({@code -netdev stream}: a big-endian 32-bit
 * length before each frame), a TAP on the other.
 *
 * <p>Frames that QEMU has not taken from its socket yet count as not delivered: {@link #firstUncertainSequence}. A frame
 * that does not fit into the socket waits here, and nothing is read from the TAP meanwhile. Confined to the VM's agent
 * thread.
 *
 * <p>A connection that follows one of a daemon that was killed begins with a whole frame in either direction, whatever was
 * on its way. QEMU (net/stream.c, 7.2 and later) forgets what it has read of a frame when a connection ends. It never has
 * sent a part: its end of an accepted connection blocks, and Linux takes a message of up to 36 KB (unix(7): one buffer)
 * whole or, where the other end has gone, not at all; a guest's frames are no longer than its MTU, for without
 * segmentation offload, which this kind of NIC does not have, there are no longer ones.
 */
public final class NicLink implements AutoCloseable {
    private static final ValueLayout.OfInt LENGTH = JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final int LENGTH_BYTES = 4;
    private static final int READ_BUFFER_BYTES = 1 << 20;

    /** Delivered frames whose place in the socket's stream is remembered; older ones have certainly been read. */
    private static final int REMEMBERED_FRAMES = 8192;

    /** Replayed frames that may wait for room in QEMU's socket, in bytes. */
    private static final long REPLAY_LIMIT_BYTES = 16L << 20;

    private final UnixStreamSocket socket;
    private final Tap tap;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment fromGuest = arena.allocate(READ_BUFFER_BYTES);
    private int fromGuestStart;
    private int fromGuestEnd;

    private final MemorySegment toGuest = arena.allocate(LENGTH_BYTES + FrameRing.MAX_FRAME_BYTES);
    private int toGuestLength;
    private int toGuestWritten;
    private final FrameRing replayed = new FrameRing(REPLAY_LIMIT_BYTES);

    private long streamBytes;
    private final long[] rememberedSequences = new long[REMEMBERED_FRAMES];
    private final long[] rememberedEnds = new long[REMEMBERED_FRAMES];
    private long rememberedCount;
    private long tapDropCount;

    /** Both are closed with this object. */
    public NicLink(UnixStreamSocket socket, Tap tap) {
        this.socket = socket;
        this.tap = tap;
    }

    /** Lets the TAP carry frames; until then the bridge does not see it. */
    public void bringUp() throws LinuxException {
        tap.bringUp();
    }

    public FileDescriptor socketDescriptor() {
        return socket.descriptor();
    }

    public FileDescriptor tapDescriptor() {
        return tap.descriptor();
    }

    public String tapName() {
        return tap.name();
    }

    /** Whether a frame waits for room in QEMU's socket. */
    public boolean wantsToWrite() {
        return toGuestWritten < toGuestLength || !replayed.isEmpty();
    }

    /** Frames that the TAP did not take. */
    public long tapDropCount() {
        return tapDropCount;
    }

    /**
     * Hands at most {@code frameLimit} frames that QEMU has sent to {@code sink}.
     *
     * @return whether the limit ended it, so that there may be more
     */
    boolean readFromGuest(int frameLimit, OutputBuffer.Sink sink) throws LinuxException {
        int frames = 0;
        while (frames < frameLimit) {
            int available = fromGuestEnd - fromGuestStart;
            if (available >= LENGTH_BYTES) {
                int length = fromGuest.get(LENGTH, fromGuestStart);
                if (length <= 0 || length > FrameRing.MAX_FRAME_BYTES - 1) {
                    throw new LinuxException("frame of " + length + " bytes from " + socket.descriptor(), Errno.EIO);
                }
                if (available >= LENGTH_BYTES + length) {
                    sink.frame(fromGuest, fromGuestStart + LENGTH_BYTES, length);
                    fromGuestStart += LENGTH_BYTES + length;
                    frames++;
                    continue;
                }
            }
            if (!fill()) {
                return false;
            }
        }
        return true;
    }

    private boolean fill() throws LinuxException {
        if (fromGuestStart == fromGuestEnd) {
            fromGuestStart = 0;
            fromGuestEnd = 0;
        } else if (READ_BUFFER_BYTES - fromGuestEnd < LENGTH_BYTES + FrameRing.MAX_FRAME_BYTES) {
            MemorySegment.copy(fromGuest, fromGuestStart, fromGuest, 0, fromGuestEnd - fromGuestStart);
            fromGuestEnd -= fromGuestStart;
            fromGuestStart = 0;
        }
        int count = socket.read(fromGuest, fromGuestEnd, READ_BUFFER_BYTES - fromGuestEnd);
        if (count == 0) {
            throw new LinuxException("QEMU closed " + socket.descriptor(), Errno.EPIPE);
        }
        if (count == FileDescriptor.WOULD_BLOCK) {
            return false;
        }
        fromGuestEnd += count;
        return true;
    }

    /** Holds a frame just read, with the number of the interface in the byte before it. */
    void offerTo(OutputBuffer output, int index, MemorySegment memory, long offset, int length) {
        // The byte before the frame was the last of its length and has been read.
        memory.set(JAVA_BYTE, offset - 1, (byte) index);
        output.offer(memory, offset - 1, length + 1);
    }

    /** Writes a frame to the TAP; one that it does not take is lost, as on a wire. */
    void writeToTap(MemorySegment memory, long offset, int length) {
        try {
            if (tap.descriptor().write(memory, offset, length) != length) {
                tapDropCount++;
            }
        } catch (LinuxException e) {
            // A TAP that is down answers EIO; the frame is lost as it would be with the cable pulled.
            tapDropCount++;
        }
    }

    /** Moves one frame from the TAP to QEMU under number {@code sequence}; false when there is none, or no room. */
    boolean forwardOneToGuest(long sequence) throws LinuxException {
        if (!flushToGuest()) {
            return false;
        }
        int length = tap.descriptor().read(toGuest, LENGTH_BYTES, FrameRing.MAX_FRAME_BYTES - 1);
        if (length <= 0) {
            return false;
        }
        toGuest.set(LENGTH, 0, length);
        toGuestLength = LENGTH_BYTES + length;
        toGuestWritten = 0;
        streamBytes += toGuestLength;
        int slot = (int) (rememberedCount++ % REMEMBERED_FRAMES);
        rememberedSequences[slot] = sequence;
        rememberedEnds[slot] = streamBytes;
        flushCurrent();
        return true;
    }

    /** Mirrors the frame that {@link #forwardOneToGuest} has just taken. */
    void mirrorLast(BackupChannel channel, int index, long sequence) {
        int frameLength = toGuestLength - LENGTH_BYTES;
        byte lastOfLength = toGuest.get(JAVA_BYTE, LENGTH_BYTES - 1);
        toGuest.set(JAVA_BYTE, LENGTH_BYTES - 1, (byte) index);
        channel.mirrorInbound(sequence, toGuest, LENGTH_BYTES - 1, frameLength + 1);
        // The length may not have been written yet.
        toGuest.set(JAVA_BYTE, LENGTH_BYTES - 1, lastOfLength);
    }

    /** Queues a frame for QEMU before anything that the TAP has. */
    void queueForGuest(MemorySegment memory, long offset, int length) throws LinuxException {
        while (!replayed.offer(0, memory, offset, length)) {
            replayed.removeHead();
        }
        flushToGuest();
    }

    /** Writes what waits for room in QEMU's socket; false when some is left. */
    public boolean flushToGuest() throws LinuxException {
        while (flushCurrent()) {
            if (replayed.isEmpty()) {
                return true;
            }
            replayed.take((_, memory, offset, length) -> {
                toGuest.set(LENGTH, 0, length);
                MemorySegment.copy(memory, offset, toGuest, LENGTH_BYTES, length);
                toGuestLength = LENGTH_BYTES + length;
                toGuestWritten = 0;
                streamBytes += toGuestLength;
            });
        }
        return false;
    }

    private boolean flushCurrent() throws LinuxException {
        while (toGuestWritten < toGuestLength) {
            int written = socket.write(toGuest, toGuestWritten, toGuestLength - toGuestWritten);
            if (written == FileDescriptor.WOULD_BLOCK) {
                return false;
            }
            toGuestWritten += written;
        }
        return true;
    }

    /**
     * Number of the first frame that QEMU may not have read at this moment, or {@code next} when it has read all. In
     * doubt a frame counts as unread: it will be replayed, and a duplicate does no harm.
     */
    long firstUncertainSequence(long next) {
        long unread = (long) toGuestLength - toGuestWritten;
        try {
            unread += socket.unreadBytes();
        } catch (LinuxException e) {
            throw new IllegalStateException("an open socket can be asked for its unread bytes", e);
        }
        if (unread == 0) {
            return next;
        }
        long certainlyRead = streamBytes - unread;
        long first = next;
        long oldest = Math.max(0, rememberedCount - REMEMBERED_FRAMES);
        for (long i = rememberedCount - 1; i >= oldest; i--) {
            int slot = (int) (i % REMEMBERED_FRAMES);
            if (rememberedEnds[slot] <= certainlyRead) {
                break;
            }
            first = rememberedSequences[slot];
        }
        return first;
    }

    @Override
    public void close() {
        socket.close();
        tap.close();
        replayed.close();
        arena.close();
    }
}
