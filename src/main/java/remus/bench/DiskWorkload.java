package remus.bench;

import java.util.Locale;

/** What fio does in the guest of the disk bench, on a whole disk, past the guest's own page cache. */
public enum DiskWorkload {
    RANDOM_4K("randwrite-4k", "randwrite", 4 << 10, 16),
    SEQUENTIAL_1M("write-1m", "write", 1 << 20, 4);

    private final String key;
    private final String pattern;
    private final int blockBytes;
    private final int ioDepth;

    DiskWorkload(String key, String pattern, int blockBytes, int ioDepth) {
        this.key = key;
        this.pattern = pattern;
        this.blockBytes = blockBytes;
        this.ioDepth = ioDepth;
    }

    /** Its name in reports. */
    public String key() {
        return key;
    }

    /** Size of each write that fio asks for. */
    public int blockBytes() {
        return blockBytes;
    }

    /** Writes that fio keeps under way at once. */
    public int ioDepth() {
        return ioDepth;
    }

    /**
     * The command that writes to {@code device} until it is ended.
     *
     * @param longestSeconds when it ends by itself
     */
    public String command(String device, long longestSeconds) {
        return String.format(
                Locale.ROOT,
                "fio --name=bench --filename=%s --rw=%s --bs=%d --direct=1 --ioengine=libaio --iodepth=%d"
                        + " --time_based --runtime=%d",
                device,
                pattern,
                blockBytes,
                ioDepth,
                longestSeconds);
    }
}
