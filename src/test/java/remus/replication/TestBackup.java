package remus.replication;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.base.Time;
import remus.wire.CheckpointBegin;
import remus.wire.CheckpointEnd;
import remus.wire.CodedPages;
import remus.wire.DiskWrites;
import remus.wire.EthernetFrames;
import remus.wire.FrameHandler;
import remus.wire.Hello;
import remus.wire.HostAnswer;
import remus.wire.OwnerAnswer;
import remus.wire.OwnerState;
import remus.wire.PageRuns;
import remus.wire.Refusal;
import remus.wire.Welcome;
import remus.wire.WireLimits;

/** A backup with a real server and a real connection, whose guest memory is a map. */
final class TestBackup implements SessionHandler, FrameHandler<RuntimeException>, AutoCloseable {
    static final Time TIME = new Time() {
        @Override
        public long nanos() {
            return System.nanoTime();
        }

        @Override
        public long wallMillis() {
            return System.currentTimeMillis();
        }
    };

    /** A checkpoint as it arrived. */
    record Whole(
            EpochId epoch, CheckpointBegin begin, List<Byte> deviceState, List<byte[]> output, CheckpointEnd end) {}

    private final ReplicationServer server;
    private final List<Thread> agents = new CopyOnWriteArrayList<>();
    private volatile boolean closed;

    private volatile boolean stalled;
    private volatile boolean stands;

    /** What its wall clock shows. */
    volatile long clockMillis;

    volatile boolean acknowledges = true;
    volatile boolean answersSignOff = true;

    /** What sessions are refused with, or null. */
    volatile @Nullable Refusal refusal;

    /** What is claimed in a welcome instead of the last whole epoch, or null. */
    volatile @Nullable EpochId claimedWhole;

    volatile List<String> wanted = List.of();
    volatile List<String> disksWithContent = List.of();

    /** What is done, once, with the connection by its agent. */
    final ConcurrentLinkedQueue<Consumer<BackupConnection>> orders = new ConcurrentLinkedQueue<>();

    final List<String> log = new CopyOnWriteArrayList<>();
    final List<String> peers = new CopyOnWriteArrayList<>();
    final List<Whole> checkpoints = new CopyOnWriteArrayList<>();
    final Map<Long, Byte> pages = new HashMap<>();
    final List<String> inbound = new CopyOnWriteArrayList<>();
    final SectorDisks disks = new SectorDisks();
    final ByteArrayOutputStream fileBytes = new ByteArrayOutputStream();
    final AtomicInteger sessionCount = new AtomicInteger();
    final List<BackupConnection.End> ends = new CopyOnWriteArrayList<>();

    private final ByteArrayOutputStream deviceState = new ByteArrayOutputStream();
    private final List<byte[]> output = new ArrayList<>();
    private CheckpointBegin begin = new CheckpointBegin(false, false, 0, 0);
    private EpochId lastWhole = EpochId.NONE;
    private @Nullable BackupConnection current;
    private final Map<Term, BackupConnection> latest = new HashMap<>();

    TestBackup() throws ReplicationException {
        server = ReplicationServer.open(new HostAddress("127.0.0.1", 0), this, TIME);
    }

    /** Makes the agents stand still before their next poll; returns when the present one does. */
    void stall() {
        stalled = true;
        TestPrimary.await("the backup stands", () -> stands);
    }

    void goOn() {
        stalled = false;
    }

    HostAddress address() {
        return server.address();
    }

    ReplicationServer server() {
        return server;
    }

    @Override
    public void session(Hello hello, BackupConnection connection) {
        sessionCount.incrementAndGet();
        peers.add(connection.peer());
        Refusal refused = refusal;
        if (refused != null) {
            connection.refuse(refused);
            connection.close();
            return;
        }
        agents.removeIf(agent -> !agent.isAlive()); // each one holds its connection
        agents.add(Thread.ofPlatform().daemon().start(() -> run(hello, connection)));
    }

    @Override
    public HostAnswer host() {
        return new HostAnswer(
                "beta", "0", "6.1", "7.2", "some", "tcg", List.of("microvm"), List.of("max"), 1L << 30, clockMillis);
    }

    @Override
    public OwnerAnswer answer(String vm) {
        return new OwnerAnswer(vm, "beta", OwnerState.STANDBY, new Term(7), "asked");
    }

    @Override
    public OwnerAnswer fence(String vm, Term term) {
        return new OwnerAnswer(vm, "beta", OwnerState.FENCED, term, "fenced");
    }

    private void run(Hello hello, BackupConnection connection) {
        try (connection) {
            log.add("session " + hello.mode() + " from " + connection.peer());
            synchronized (this) {
                latest.put(connection.term(), connection);
                disks.dropPending();
            }
            EpochId claimed = claimedWhole;
            connection.welcome(
                    claimed == null ? lastWhole : claimed, new Welcome("beta", "7.2", wanted, disksWithContent));
            boolean readied = hello.mode() == Hello.Mode.RESUME;
            while (!closed && connection.isOpen()) {
                if (!readied && connection.filesArrived()) {
                    connection.ready();
                    readied = true;
                }
                Consumer<BackupConnection> order = orders.poll();
                if (order != null) {
                    order.accept(connection);
                }
                stands = stalled;
                if (stalled) {
                    java.util.concurrent.locks.LockSupport.parkNanos(2_000_000);
                    continue;
                }
                connection.heartbeat(lastWhole);
                if (connection.await(TimeUnit.MILLISECONDS.toNanos(20))) {
                    synchronized (this) {
                        if (connection != latest.get(connection.term())) {
                            break; // what it still has is sent again on the new one
                        }
                        current = connection;
                        connection.poll(this);
                    }
                }
            }
            ends.add(java.util.Objects.requireNonNull(
                    connection.end() == null
                            ? new BackupConnection.End(BackupConnection.EndKind.CLOSED, "test over")
                            : connection.end()));
        }
    }

    @Override
    public void fileData(String name, long offset, MemorySegment bytes) {
        fileBytes.writeBytes(bytes.toArray(ValueLayout.JAVA_BYTE));
        log.add("file " + name);
    }

    @Override
    public void pages(EpochId epoch, PageRuns runs) {
        for (int run = 0; run < runs.runCount(); run++) {
            for (int i = 0; i < runs.pageCount(run); i++) {
                long at = runs.dataOffset(run) + (long) i * runs.pageBytes();
                byte fill = runs.data().get(ValueLayout.JAVA_BYTE, at);
                for (int b = 0; b < runs.pageBytes(); b += 512) {
                    if (runs.data().get(ValueLayout.JAVA_BYTE, at + b) != fill) {
                        log.add("TORN page " + (runs.firstPage(run) + i));
                    }
                }
                pages.put(runs.firstPage(run) + i, fill);
            }
        }
        log.add("pages " + epoch + " " + runs.pageCount());
    }

    @Override
    public void zeroPages(EpochId epoch, PageRuns runs) {
        for (int run = 0; run < runs.runCount(); run++) {
            for (int i = 0; i < runs.pageCount(run); i++) {
                pages.put(runs.firstPage(run) + i, (byte) 0);
            }
        }
        log.add("zero " + epoch + " " + runs.pageCount());
    }

    @Override
    public void codedPages(EpochId epoch, CodedPages coded) {
        MemorySegment page = MemorySegment.ofArray(new byte[TestPrimary.PAGE_BYTES]);
        for (int i = 0; i < coded.count(); i++) {
            page.fill(coded.hasBase(i) ? pages.getOrDefault(coded.page(i), (byte) 0) : 0);
            coded.apply(i, page, 0);
            byte fill = page.get(ValueLayout.JAVA_BYTE, 0);
            for (int b = 0; b < page.byteSize(); b += 512) {
                if (page.get(ValueLayout.JAVA_BYTE, b) != fill) {
                    log.add("TORN page " + coded.page(i));
                }
            }
            pages.put(coded.page(i), fill);
        }
        log.add("coded " + epoch + " " + coded.count());
    }

    @Override
    public void checkpointBegin(EpochId epoch, CheckpointBegin started) {
        begin = started;
        deviceState.reset();
        output.clear();
        log.add("begin " + epoch);
    }

    @Override
    public void deviceState(EpochId epoch, long offset, long totalBytes, MemorySegment bytes) {
        deviceState.writeBytes(bytes.toArray(ValueLayout.JAVA_BYTE));
    }

    @Override
    public void outputFrames(EpochId epoch, EthernetFrames frames) {
        frames.forEach((index, memory, offset, length) ->
                output.add(memory.asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE)));
    }

    @Override
    public void diskWrites(EpochId epoch, DiskWrites writes) {
        disks.receive(epoch, writes);
        log.add("disk writes " + epoch);
    }

    @Override
    public void diskCompare(int disk, long firstBlock, int count) {
        log.add("compare " + disk + " " + firstBlock + " " + count);
        byte[] digests = new byte[count * WireLimits.DIGEST_BYTES];
        Arrays.fill(digests, (byte) 7);
        BackupConnection connection = current;
        if (connection != null) {
            connection.diskDigests(disk, firstBlock, digests);
        }
    }

    @Override
    public void checkpointEnd(EpochId epoch, CheckpointEnd end) {
        checkpoints.add(new Whole(epoch, begin, boxed(deviceState.toByteArray()), List.copyOf(output), end));
        lastWhole = epoch;
        disks.whole(epoch);
        log.add("end " + epoch);
        BackupConnection connection = current;
        if (acknowledges && connection != null) {
            connection.acknowledge(epoch);
        }
    }

    private static List<Byte> boxed(byte[] bytes) {
        List<Byte> boxed = new ArrayList<>(bytes.length);
        for (byte value : bytes) {
            boxed.add(value);
        }
        return boxed;
    }

    @Override
    public void inboundFrames(long firstSequence, EthernetFrames frames) {
        frames.forEach((index, memory, offset, length) ->
                inbound.add(firstSequence + index + ":" + length + ":" + memory.get(ValueLayout.JAVA_BYTE, offset)));
        log.add("inbound " + firstSequence);
    }

    @Override
    public void released(EpochId epoch) {
        log.add("released " + epoch);
    }

    @Override
    public void heartbeat(EpochId sealed) {
        log.add("heartbeat " + sealed);
    }

    @Override
    public void guestDead(String reason) {
        log.add("guest dead " + reason);
    }

    @Override
    public void handOver(long pausedNanos, String reason) {
        log.add("hand over after " + pausedNanos + " " + reason);
    }

    @Override
    public void signOff(String reason) {
        log.add("sign-off " + reason);
        if (!answersSignOff) {
            return;
        }
        orders.add(connection -> {
            connection.signedOff("dropped: " + reason);
            connection.close();
        });
    }

    @Override
    public void close() {
        closed = true;
        stalled = false;
        server.close();
        try {
            for (Thread agent : agents) {
                agent.join(2000);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
