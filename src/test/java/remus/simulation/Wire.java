package remus.simulation;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.simulation.Connection.End;
import remus.wire.FrameEncoder;
import remus.wire.FrameHandler;
import remus.wire.FrameHeader;
import remus.wire.FrameType;
import remus.wire.Hello;
import remus.wire.HelloDisk;
import remus.wire.Payloads;
import remus.wire.Refusal;
import remus.wire.SessionFrames;
import remus.wire.WireException;
import remus.wire.WireLimits;

/** Frames as the real codecs make and read them, in arrays of their own. */
final class Wire {
    static final int SMALL_BYTES = 2048;

    private Wire() {}

    /** @param payloadBytes at least as many as {@code payload} puts */
    static byte[] frame(Term term, FrameType type, EpochId epoch, int payloadBytes, Consumer<ByteBuffer> payload) {
        ByteBuffer frame = FrameEncoder.begin(ByteBuffer.allocate(WireLimits.HEADER_BYTES + payloadBytes));
        payload.accept(frame);
        ByteBuffer made = new FrameEncoder(term).finish(type, epoch, frame);
        byte[] bytes = new byte[made.remaining()];
        made.get(bytes);
        return bytes;
    }

    static byte[] empty(Term term, FrameType type, EpochId epoch) {
        return frame(term, type, epoch, 0, payload -> {});
    }

    /** Sends a frame that is no more than a reason. */
    static void send(End end, Term term, FrameType type, String reason) {
        end.send(frame(term, type, EpochId.NONE, SMALL_BYTES, payload -> Payloads.encodeReason(payload, reason)));
    }

    static void refuse(End end, Term term, Refusal.Code code, String reason) {
        end.send(frame(term, FrameType.REFUSAL, EpochId.NONE, SMALL_BYTES, new Refusal(code, reason)::encode));
        end.close();
    }

    static Hello hello(Hello.Mode mode, String host, Timing timing) {
        return new Hello(
                mode,
                World.VM,
                host,
                new HostAddress("10.0.0.1", 7420),
                "pc-q35-7.2",
                "7.2.22",
                (long) Guest.PAGES * Guest.PAGE_BYTES,
                Guest.PAGE_BYTES,
                Duration.ofNanos(timing.intervalNanos()),
                Duration.ofNanos(timing.detectNanos()),
                0,
                new byte[0],
                List.of(),
                List.of(new HelloDisk("d0", Guest.DISK_BYTES), new HelloDisk("d1", Guest.DISK_BYTES)));
    }

    /** The payload of a whole frame, its checksum checked. */
    static ByteBuffer payload(ByteBuffer frame, FrameHeader header) throws WireException {
        header.verify(frame, 0);
        return frame.position(WireLimits.HEADER_BYTES).limit(WireLimits.HEADER_BYTES + header.payloadBytes());
    }

    /** Reads one frame of a primary's. */
    static <X extends Exception> void deliver(byte[] frame, SessionFrames frames, FrameHandler<X> handler) throws X {
        try {
            ByteBuffer bytes = ByteBuffer.wrap(frame);
            FrameHeader header = FrameHeader.decode(bytes, 0);
            frames.deliver(header, payload(bytes, header), MemorySegment.ofArray(frame), handler);
        } catch (WireException e) {
            throw new Violation(Rule.WIRE, "the backup does not understand its primary: " + e.getMessage(), e);
        }
    }
}
