package remus.simulation;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Deque;
import org.jspecify.annotations.Nullable;
import remus.checkpoint.DiskOperation;

/**
 * A VM's QEMU with its guest: memory and disks in byte arrays, a NIC with a socket in each direction, and an application
 * that carries out numbered requests, keeps a digest over them in memory and writes each to disk. Beside that the guest
 * dirties memory, writes to disk and says something unasked, as guests do. It lives on when its daemon dies.
 */
final class Guest {
    static final int PAGE_BYTES = 4096;
    static final int PAGES = 12;
    static final int DISKS = 2;
    static final int DISK_BYTES = 1024;

    private static final int COUNTER_AT = 0;
    private static final int DIGEST_AT = 8;
    private static final int LAST_FRAME_AT = 16;
    private static final int LAST_INPUT_AT = 24;
    private static final int RECORD_BYTES = 16;
    private static final int MAX_UNREAD = 64;

    /** Sees what the guest does to its disks. */
    interface DiskObserver {
        void written(int disk, DiskOperation operation, int offset, byte[] data);
    }

    /** A frame that was handed to the NIC and not yet read by the guest. */
    @SuppressWarnings("ArrayRecordComponent") // Nobody compares or changes them.
    record Input(long sequence, byte[] frame) {}

    private final Scheduler scheduler;
    private final History history;
    private final byte[] memory;
    private final ByteBuffer fields;
    private final byte[][] disks;
    private final BitSet dirty = new BitSet();
    private final Deque<Input> unread = new ArrayDeque<>();
    private final Deque<Packet> sent = new ArrayDeque<>();
    private @Nullable DiskObserver observer;
    private @Nullable Daemon server;
    private boolean running;
    private boolean frozen;
    private boolean dead;
    private boolean hung;
    private boolean hasRun;

    Guest(Scheduler scheduler, History history, byte[] memory, byte[][] disks) {
        this.scheduler = scheduler;
        this.history = history;
        this.memory = memory;
        this.disks = disks;
        fields = ByteBuffer.wrap(memory);
        dirty.set(0, PAGES);
        live();
    }

    // ---- QEMU's state

    boolean isRunning() {
        return running && !dead && !hung;
    }

    boolean isDead() {
        return dead;
    }

    boolean isHung() {
        return hung;
    }

    /** Whether it ever ran, so that memory and disks are no longer what was loaded. */
    boolean hasRun() {
        return hasRun;
    }

    void run() {
        running = true;
        hasRun = true;
    }

    void stop() {
        running = false;
    }

    void die() {
        dead = true;
        running = false;
        sent.clear();
        unread.clear();
    }

    void hang() {
        hung = true;
    }

    /** The machine sleeps, or goes on. */
    void freeze(boolean stands) {
        frozen = stands;
    }

    // ---- its ends

    /**
     * @param of sees what is written
     * @param daemon serves its disks and its NIC; null: nobody does, and requests to the disks wait
     */
    void observe(@Nullable DiskObserver of, @Nullable Daemon daemon) {
        observer = of;
        server = daemon;
    }

    byte[] memory() {
        return memory;
    }

    byte[][] disks() {
        return disks;
    }

    BitSet takeDirty() {
        BitSet taken = (BitSet) dirty.clone();
        dirty.clear();
        return taken;
    }

    void markAllDirty() {
        dirty.set(0, PAGES);
    }

    /** A frame comes in; false when the socket is full. */
    boolean input(Input frame) {
        if (dead || unread.size() >= MAX_UNREAD) {
            return false;
        }
        unread.add(frame);
        return true;
    }

    /** Number of the first input that the guest has not read, or null. */
    @Nullable
    Long firstUnread() {
        Input first = unread.peek();
        return first == null ? null : first.sequence();
    }

    @Nullable
    Packet output() {
        return sent.poll();
    }

    /** Its daemon is gone, and the sockets between them with all that nobody had read. */
    void forgetSockets() {
        sent.clear();
        unread.clear();
    }

    // ---- what its memory says

    long counter() {
        return fields.getLong(COUNTER_AT);
    }

    long digest() {
        return fields.getLong(DIGEST_AT);
    }

    /** The last frame it has sent; see {@link History}. */
    long lastFrame() {
        return fields.getLong(LAST_FRAME_AT);
    }

    /** Whether its disk knows of the last request that it carried out. */
    boolean diskIsAsRecorded() {
        long counter = counter();
        ByteBuffer disk = ByteBuffer.wrap(disks[0]);
        int at = recordAt(counter);
        return counter == 0 || (disk.getLong(at) == counter && disk.getLong(at + 8) == digest());
    }

    private static int recordAt(long counter) {
        return (int) (counter % (DISK_BYTES / RECORD_BYTES)) * RECORD_BYTES;
    }

    // ---- the guest

    private void live() {
        scheduler.after(scheduler.span(Scheduler.MILLISECOND, 9 * Scheduler.MILLISECOND), () -> {
            if (!dead) {
                if (isRunning() && !frozen) {
                    work();
                }
                live();
            }
        });
    }

    private void work() {
        Daemon serving = server;
        if (serving == null || !serving.isRunning()) {
            dirtySomething(); // all else waits for the disk
            return;
        }
        int reads = scheduler.between(0, 4);
        for (Input input = unread.poll(); input != null; input = reads-- > 0 ? unread.poll() : null) {
            put(LAST_INPUT_AT, input.sequence());
            answer(Packet.of(input.frame()));
        }
        for (int i = scheduler.between(0, 2); i > 0; i--) {
            dirtySomething();
        }
        if (scheduler.chance(0.3)) {
            byte[] data = new byte[scheduler.between(1, 24)];
            boolean trims = scheduler.chance(0.2);
            if (!trims) {
                Arrays.fill(data, (byte) scheduler.between(1, 255));
            }
            write(1, trims ? DiskOperation.TRIM : DiskOperation.WRITE, scheduler.between(0, DISK_BYTES - 24), data);
        }
        if (scheduler.chance(0.1)) {
            send(0);
        }
    }

    /** QEMU's own writes, also while the guest stands still. */
    void dirtySomething() {
        int page = scheduler.between(1, PAGES - 1);
        if (scheduler.chance(0.1)) {
            Arrays.fill(memory, page * PAGE_BYTES, (page + 1) * PAGE_BYTES, (byte) 0);
        } else {
            memory[page * PAGE_BYTES + scheduler.between(0, PAGE_BYTES - 1)]++;
        }
        dirty.set(page);
    }

    private void answer(Packet packet) {
        long request = packet.request();
        if (request == counter() + 1) {
            put(COUNTER_AT, request);
            put(DIGEST_AT, Packet.digest(digest(), request));
            byte[] entry = ByteBuffer.allocate(RECORD_BYTES)
                    .putLong(request)
                    .putLong(digest())
                    .array();
            write(0, DiskOperation.WRITE, recordAt(request), entry);
        }
        send(request);
    }

    private void send(long request) {
        long number = history.sent(lastFrame());
        put(LAST_FRAME_AT, number);
        sent.add(new Packet(number, request, counter(), digest()));
        Daemon serving = server;
        if (serving != null) {
            serving.wake();
        }
    }

    private void put(int at, long value) {
        fields.putLong(at, value);
        dirty.set(0);
    }

    private void write(int disk, DiskOperation operation, int offset, byte[] data) {
        System.arraycopy(data, 0, disks[disk], offset, data.length);
        DiskObserver present = observer;
        if (present != null) {
            present.written(disk, operation, offset, data);
        }
    }
}
