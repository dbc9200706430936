package remus.disk;

/**
 * Numbers of the NBD protocol, as {@code doc/proto.md} of github.com/NetworkBlockDevice/nbd has them (commit 89ba7b53,
 * 2026); names are that document's less their prefix {@code NBD_}. All integers are big-endian.
 */
final class NbdProtocol {
    static final long INIT_PASSWD = 0x4e42444d41474943L;
    static final long OPTION_MAGIC = 0x49484156454F5054L;
    static final long OPTION_REPLY_MAGIC = 0x3e889045565a9L;
    static final int REQUEST_MAGIC = 0x25609513;
    static final int SIMPLE_REPLY_MAGIC = 0x67446698;
    static final int STRUCTURED_REPLY_MAGIC = 0x668e33ef;

    static final short FLAG_FIXED_NEWSTYLE = 1;
    static final short FLAG_NO_ZEROES = 1 << 1;
    /** Zeros that end the answer to EXPORT_NAME unless both sides set NO_ZEROES. */
    static final int RESERVED_ZEROES = 124;

    static final int FLAG_HAS_FLAGS = 1;
    static final int FLAG_SEND_FLUSH = 1 << 2;
    static final int FLAG_SEND_FUA = 1 << 3;
    static final int FLAG_SEND_TRIM = 1 << 5;
    static final int FLAG_SEND_WRITE_ZEROES = 1 << 6;
    static final int FLAG_SEND_DF = 1 << 7;
    static final int FLAG_CAN_MULTI_CONN = 1 << 8;

    static final int OPT_EXPORT_NAME = 1;
    static final int OPT_ABORT = 2;
    static final int OPT_LIST = 3;
    static final int OPT_INFO = 6;
    static final int OPT_GO = 7;
    static final int OPT_STRUCTURED_REPLY = 8;
    static final int OPT_LIST_META_CONTEXT = 9;
    static final int OPT_SET_META_CONTEXT = 10;

    static final int REP_ACK = 1;
    static final int REP_SERVER = 2;
    static final int REP_INFO = 3;
    static final int REP_META_CONTEXT = 4;
    static final int REP_ERR_UNSUP = 0x80000001;
    static final int REP_ERR_INVALID = 0x80000003;
    static final int REP_ERR_UNKNOWN = 0x80000006;
    static final int REP_ERR_TOO_BIG = 0x80000009;

    static final short INFO_EXPORT = 0;
    static final short INFO_NAME = 1;
    static final short INFO_BLOCK_SIZE = 3;

    static final int CMD_READ = 0;
    static final int CMD_WRITE = 1;
    static final int CMD_DISC = 2;
    static final int CMD_FLUSH = 3;
    static final int CMD_TRIM = 4;
    static final int CMD_WRITE_ZEROES = 6;
    static final int CMD_BLOCK_STATUS = 7;

    static final int CMD_FLAG_FUA = 1;
    static final int CMD_FLAG_NO_HOLE = 1 << 1;
    static final int CMD_FLAG_DF = 1 << 2;
    static final int CMD_FLAG_REQ_ONE = 1 << 3;

    static final short REPLY_FLAG_DONE = 1;
    static final short REPLY_TYPE_OFFSET_DATA = 1;
    static final short REPLY_TYPE_OFFSET_HOLE = 2;
    static final short REPLY_TYPE_BLOCK_STATUS = 5;
    static final short REPLY_TYPE_ERROR = (short) 0x8001;

    static final int STATE_HOLE = 1;
    static final int STATE_ZERO = 1 << 1;

    static final int EPERM = 1;
    static final int EIO = 5;
    static final int EINVAL = 22;
    static final int ENOSPC = 28;
    static final int ESHUTDOWN = 108;

    /** The only metadata context that the document defines. */
    static final String ALLOCATION_CONTEXT = "base:allocation";
    /** Asks for all contexts of its namespace. */
    static final String BASE_WILDCARD = "base:";

    /** Longest string, such as an export's name. */
    static final int MAX_STRING_BYTES = 4096;
    /** Payloads up to this size are no attack, whatever was agreed on. */
    static final int MAX_HARMLESS_PAYLOAD_BYTES = 1 << 25;

    static final int OPTION_HEADER_BYTES = 16;
    static final int REQUEST_BYTES = 28;
    static final int SIMPLE_REPLY_BYTES = 16;
    static final int CHUNK_HEADER_BYTES = 20;
    static final int OFFSET_BYTES = 8;
    static final int HOLE_BYTES = 12;
    static final int EXTENT_BYTES = 8;

    private NbdProtocol() {}
}
