package remus.wire;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import remus.base.EpochId;
import remus.base.Term;

/**
 * Decodes and checks, on the backup, what a primary sends within one connection, and hands it on in the order of arrival.
 * A frame that breaks the protocol is a {@link WireException} and does not reach the handler; the connection is over then.
 * Pure; confined to the thread that reads the connection.
 */
public final class SessionFrames {
    private final Hello hello;
    private final Term term;
    private final SessionOrder order = new SessionOrder();
    private final PageRuns runs;
    private final CodedPages codedPages;
    private final EthernetFrames ethernetFrames = new EthernetFrames();
    private final DiskWrites diskWrites;

    /** @param term the session's, which every frame has to carry */
    public SessionFrames(Hello hello, Term term) {
        this.hello = hello;
        this.term = term;
        runs = new PageRuns(hello.pageCount(), hello.pageBytes());
        codedPages = new CodedPages(hello.pageCount(), hello.pageBytes());
        diskWrites = new DiskWrites(hello.disks());
    }

    /** Where the connection stands; whoever answers on it tells it so. */
    public SessionOrder order() {
        return order;
    }

    /**
     * Hands one frame, whose checksum has been found right, to {@code handler}.
     *
     * @param payload from its position to its limit
     * @param memory the memory behind {@code payload}: byte i of one is byte i of the other
     */
    public <X extends Exception> void deliver(
            FrameHeader header, ByteBuffer payload, MemorySegment memory, FrameHandler<X> handler)
            throws X, WireException {
        if (!header.term().equals(term)) {
            throw WireException.corrupt(
                    "a frame of type " + header.type() + " has term=" + header.term() + " expected=" + term);
        }
        EpochId epoch = header.epoch();
        switch (header.type()) {
            case FILE_DATA -> deliverFileData(payload, memory, handler);
            case PAGES -> {
                runs.decode(payload, memory);
                order.pages(FrameType.PAGES, epoch, runs.pageCount());
                handler.pages(epoch, runs);
            }
            case ZERO_PAGES -> {
                runs.decodeZero(payload);
                order.pages(FrameType.ZERO_PAGES, epoch, runs.pageCount());
                handler.zeroPages(epoch, runs);
            }
            case CODED_PAGES -> {
                codedPages.decode(payload);
                order.pages(FrameType.CODED_PAGES, epoch, codedPages.count());
                handler.codedPages(epoch, codedPages);
            }
            case CHECKPOINT_BEGIN -> {
                CheckpointBegin begin = CheckpointBegin.decode(payload);
                order.checkpointBegin(epoch, begin);
                handler.checkpointBegin(epoch, begin);
            }
            case DEVICE_STATE -> deliverDeviceState(epoch, payload, memory, handler);
            case OUTPUT_FRAMES -> {
                ethernetFrames.decode(payload, memory);
                order.outputFrames(epoch, ethernetFrames.frameCount());
                handler.outputFrames(epoch, ethernetFrames);
            }
            case DISK_WRITES -> {
                diskWrites.decode(payload, memory);
                order.diskWrites(epoch, diskWrites.count(), diskWrites.dataBytes());
                handler.diskWrites(epoch, diskWrites);
            }
            case DISK_COMPARE -> {
                DiskBlocks blocks = DiskBlocks.decode(payload, hello.disks());
                order.diskCompare();
                handler.diskCompare(blocks.disk(), blocks.firstBlock(), blocks.count());
            }
            case CHECKPOINT_END -> {
                CheckpointEnd checkpointEnd = CheckpointEnd.decode(payload);
                order.checkpointEnd(epoch, checkpointEnd);
                handler.checkpointEnd(epoch, checkpointEnd);
            }
            case INBOUND_FRAMES -> {
                long firstSequence = Payloads.decodeCount(payload, "first sequence");
                ethernetFrames.decode(payload, memory);
                order.inboundFrames(firstSequence, ethernetFrames.frameCount());
                handler.inboundFrames(firstSequence, ethernetFrames);
            }
            case RELEASED -> {
                Payloads.decodeEmpty(payload);
                order.released(epoch);
                handler.released(epoch);
            }
            case HEARTBEAT -> {
                Payloads.decodeEmpty(payload);
                order.heartbeat();
                handler.heartbeat(epoch);
            }
            case GUEST_DEAD -> {
                String reason = Payloads.decodeReason(payload);
                order.guestDead();
                handler.guestDead(reason);
            }
            case SIGN_OFF -> {
                String reason = Payloads.decodeReason(payload);
                order.signOff();
                handler.signOff(reason);
            }
            case HAND_OVER -> {
                long pausedNanos = Payloads.decodeCount(payload, "pause");
                String reason = Payloads.decodeReason(payload);
                order.handOver();
                handler.handOver(pausedNanos, reason);
            }
            case HELLO,
                    WELCOME,
                    REFUSAL,
                    READY,
                    ACKNOWLEDGE,
                    SIGNED_OFF,
                    OWNER_QUERY,
                    OWNER_ANSWER,
                    FENCE,
                    FENCED,
                    STANDBY_LOST,
                    VERIFIED,
                    ACTIVATED,
                    DISK_DIGESTS,
                    HOST_QUERY,
                    HOST_ANSWER,
                    ECHO,
                    ECHOED,
                    DISCARD,
                    RELIEF -> throw WireException.corrupt("a frame of type " + header.type() + " within a session");
        }
    }

    private <X extends Exception> void deliverFileData(
            ByteBuffer payload, MemorySegment memory, FrameHandler<X> handler) throws X, WireException {
        String name = Payloads.decodeFileName(payload);
        long offset = Payloads.decodeCount(payload, "offset");
        order.fileData(name, offset, payload.remaining());
        handler.fileData(name, offset, memory.asSlice(payload.position(), payload.remaining()));
    }

    private <X extends Exception> void deliverDeviceState(
            EpochId epoch, ByteBuffer payload, MemorySegment memory, FrameHandler<X> handler) throws X, WireException {
        long offset = Payloads.decodeCount(payload, "offset");
        long totalBytes = Payloads.decodeCount(payload, "total");
        order.deviceState(epoch, offset, totalBytes, payload.remaining());
        handler.deviceState(epoch, offset, totalBytes, memory.asSlice(payload.position(), payload.remaining()));
    }
}
