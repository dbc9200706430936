package remus.wire;

import static remus.wire.WireLimits.DIGEST_BYTES;
import static remus.wire.WireLimits.DISK_WRITE_BYTES;
import static remus.wire.WireLimits.HEADER_BYTES;
import static remus.wire.WireLimits.MAX_BULK_BYTES;
import static remus.wire.WireLimits.MAX_COMPARED_BLOCKS;
import static remus.wire.WireLimits.MAX_DISCARD_BYTES;
import static remus.wire.WireLimits.MAX_DISK_WRITES;
import static remus.wire.WireLimits.MAX_ECHO_BYTES;
import static remus.wire.WireLimits.MAX_HELLO_BYTES;
import static remus.wire.WireLimits.MAX_HOST_BYTES;
import static remus.wire.WireLimits.MAX_INBOUND_BYTES;
import static remus.wire.WireLimits.MAX_NAME_FIELD_BYTES;
import static remus.wire.WireLimits.MAX_PAGE_RUNS;
import static remus.wire.WireLimits.MAX_REASON_FIELD_BYTES;
import static remus.wire.WireLimits.MAX_WELCOME_BYTES;
import static remus.wire.WireLimits.MAX_ZERO_RUNS;
import static remus.wire.WireLimits.RUN_BYTES;

/** The kinds of frame, each with its number on the wire, who sends it, and how long its payload may be, in bytes. */
public enum FrameType {
    HELLO(1, Sender.PRIMARY, MAX_HELLO_BYTES),
    WELCOME(2, Sender.BACKUP, MAX_WELCOME_BYTES),
    REFUSAL(3, Sender.BACKUP, 1 + MAX_REASON_FIELD_BYTES),
    FILE_DATA(4, Sender.PRIMARY, MAX_NAME_FIELD_BYTES + 8 + MAX_BULK_BYTES),
    READY(5, Sender.BACKUP, 0),
    PAGES(6, Sender.PRIMARY, 4 + MAX_PAGE_RUNS * RUN_BYTES + MAX_BULK_BYTES),
    ZERO_PAGES(7, Sender.PRIMARY, 4 + MAX_ZERO_RUNS * RUN_BYTES),
    CHECKPOINT_BEGIN(8, Sender.PRIMARY, CheckpointBegin.BYTES),
    DEVICE_STATE(9, Sender.PRIMARY, 16 + MAX_BULK_BYTES),
    OUTPUT_FRAMES(10, Sender.PRIMARY, 4 + MAX_BULK_BYTES),
    CHECKPOINT_END(11, Sender.PRIMARY, CheckpointEnd.MAX_BYTES),
    ACKNOWLEDGE(12, Sender.BACKUP, 0),
    RELEASED(13, Sender.PRIMARY, 0),
    INBOUND_FRAMES(14, Sender.PRIMARY, 12 + MAX_INBOUND_BYTES),
    HEARTBEAT(15, Sender.BOTH, 0),
    GUEST_DEAD(16, Sender.PRIMARY, MAX_REASON_FIELD_BYTES),
    SIGN_OFF(17, Sender.PRIMARY, MAX_REASON_FIELD_BYTES),
    SIGNED_OFF(18, Sender.BACKUP, MAX_REASON_FIELD_BYTES),
    OWNER_QUERY(19, Sender.ASKER, MAX_NAME_FIELD_BYTES),
    OWNER_ANSWER(20, Sender.ANSWERER, 2 * MAX_NAME_FIELD_BYTES + 1 + MAX_REASON_FIELD_BYTES),
    FENCE(21, Sender.ASKER, MAX_NAME_FIELD_BYTES),
    FENCED(22, Sender.ANSWERER, 2 * MAX_NAME_FIELD_BYTES + 1 + MAX_REASON_FIELD_BYTES),
    STANDBY_LOST(23, Sender.BACKUP, MAX_REASON_FIELD_BYTES),
    VERIFIED(24, Sender.BACKUP, 1),
    ACTIVATED(25, Sender.BACKUP, MAX_REASON_FIELD_BYTES),
    DISK_WRITES(26, Sender.PRIMARY, 4 + MAX_DISK_WRITES * DISK_WRITE_BYTES + MAX_BULK_BYTES),
    DISK_COMPARE(27, Sender.PRIMARY, DiskBlocks.BYTES),
    DISK_DIGESTS(28, Sender.BACKUP, DiskBlocks.BYTES + MAX_COMPARED_BLOCKS * DIGEST_BYTES),
    HOST_QUERY(29, Sender.ASKER, 0),
    HOST_ANSWER(30, Sender.ANSWERER, MAX_HOST_BYTES),
    ECHO(31, Sender.ASKER, MAX_ECHO_BYTES),
    ECHOED(32, Sender.ANSWERER, MAX_ECHO_BYTES),
    DISCARD(33, Sender.ASKER, MAX_DISCARD_BYTES),
    HAND_OVER(34, Sender.PRIMARY, 8 + MAX_REASON_FIELD_BYTES),
    RELIEF(35, Sender.BACKUP, MAX_REASON_FIELD_BYTES),
    CODED_PAGES(36, Sender.PRIMARY, CodedPages.MAX_BYTES);

    /** Which side of a connection sends frames of a type. */
    public enum Sender {
        PRIMARY,
        BACKUP,
        /** Both sides of a session. */
        BOTH,
        /** Whoever opened a connection to ask or to measure. */
        ASKER,
        /** Whoever answers that. */
        ANSWERER
    }

    /** Longest payload of any type, in bytes. */
    public static final int MAX_PAYLOAD_BYTES = DISK_WRITES.maxPayloadBytes;

    private static final FrameType[] BY_CODE = new FrameType[37];

    static {
        for (FrameType type : values()) {
            BY_CODE[type.code] = type;
            if (type.maxPayloadBytes > MAX_PAYLOAD_BYTES) {
                throw new ExceptionInInitializerError(type + " may be longer than a receiver's buffer, which holds "
                        + (HEADER_BYTES + MAX_PAYLOAD_BYTES));
            }
        }
    }

    private final int code;
    private final Sender sender;
    private final int maxPayloadBytes;

    FrameType(int code, Sender sender, int maxPayloadBytes) {
        this.code = code;
        this.sender = sender;
        this.maxPayloadBytes = maxPayloadBytes;
    }

    /** The number on the wire. */
    public int code() {
        return code;
    }

    public Sender sender() {
        return sender;
    }

    public int maxPayloadBytes() {
        return maxPayloadBytes;
    }

    /** @throws WireException when this version knows no such type */
    static FrameType ofCode(int code) throws WireException {
        FrameType type = code < BY_CODE.length ? BY_CODE[code] : null;
        if (type == null) {
            throw WireException.foreign("unknown frame type " + code);
        }
        return type;
    }
}
