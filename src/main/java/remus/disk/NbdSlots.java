package remus.disk;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Places for the requests of one connection that are carried out beside its reader, each with memory for data and reply.
 * Any thread may take and give back. {@link NbdLimits#MAX_IN_FLIGHT} of them, which get memory only as they are used.
 */
final class NbdSlots {
    /** Sizes of a slot's memory: it grows in so few steps because what is outgrown is free only with the connection. */
    private static final int[] CAPACITIES = {
        NbdLimits.SMALL_BYTES + NbdLimits.REPLY_OVERHEAD_BYTES,
        (512 << 10) + NbdLimits.REPLY_OVERHEAD_BYTES,
        NbdLimits.MAX_PAYLOAD_BYTES + NbdLimits.REPLY_OVERHEAD_BYTES
    };

    /** Memory for one request: at first {@link NbdLimits#REPLY_OVERHEAD_BYTES}, and then as much as its data needs. */
    static final class Slot {
        private MemorySegment memory = MemorySegment.NULL;
        private ByteBuffer buffer = ByteBuffer.allocate(0);

        MemorySegment memory() {
            return memory;
        }

        /** The same memory, empty, for putting a reply in. */
        ByteBuffer buffer() {
            return buffer;
        }
    }

    private final Arena arena;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition given = lock.newCondition();
    // The last one given is the next one taken: its memory is in the processor's cache.
    private final ArrayDeque<Slot> free = new ArrayDeque<>();
    private int made;
    private boolean closed;

    NbdSlots(Arena arena) {
        this.arena = arena;
    }

    /** A slot with room for {@code dataBytes}; null where all are in use. */
    @Nullable
    Slot tryTake(int dataBytes) {
        lock.lock();
        try {
            return closed ? null : room(next(), dataBytes);
        } finally {
            lock.unlock();
        }
    }

    /** Waits for a slot; null when there will be none because the connection is being cut. */
    @Nullable
    Slot take(int dataBytes) {
        lock.lock();
        try {
            @Nullable Slot slot = next();
            while (slot == null && !closed) {
                given.awaitUninterruptibly();
                slot = next();
            }
            return closed ? null : room(slot, dataBytes);
        } finally {
            lock.unlock();
        }
    }

    private @Nullable Slot next() {
        if (free.isEmpty() && made < NbdLimits.MAX_IN_FLIGHT) {
            made++;
            return new Slot();
        }
        return free.pollFirst();
    }

    private @Nullable Slot room(@Nullable Slot slot, int dataBytes) {
        if (slot == null) {
            return null;
        }
        int needed = dataBytes + NbdLimits.REPLY_OVERHEAD_BYTES;
        for (int capacity : CAPACITIES) {
            if (slot.memory.byteSize() >= needed) {
                break;
            }
            if (capacity >= needed) {
                slot.memory = arena.allocate(capacity, NbdLimits.PREFERRED_BLOCK_BYTES);
                slot.buffer = slot.memory.asByteBuffer();
            }
        }
        slot.buffer.clear();
        return slot;
    }

    void give(Slot slot) {
        lock.lock();
        try {
            free.addFirst(slot);
            given.signal();
        } finally {
            lock.unlock();
        }
    }

    /** From here on nobody waits for a slot, nor gets one. */
    void close() {
        lock.lock();
        try {
            closed = true;
            given.signalAll();
        } finally {
            lock.unlock();
        }
    }
}
