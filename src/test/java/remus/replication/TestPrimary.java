package remus.replication;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import remus.base.CloseStack;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.checkpoint.BackupChannel;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.StagedCheckpoint;
import remus.checkpoint.StagedPages;
import remus.wire.Digest;
import remus.wire.Hello;
import remus.wire.HelloDisk;
import remus.wire.HelloFile;

/** A primary's channel with what it sends and hears. */
final class TestPrimary implements BackupChannel.Listener, AutoCloseable {
    static final int PAGE_BYTES = 4096;
    static final int GUEST_PAGES = 16384;
    static final Term TERM = new Term(3);
    static final List<HelloDisk> DISKS =
            List.of(new HelloDisk("root", 1L << 30), new HelloDisk("data", (100L << 20) + 512));
    static final byte[] KERNEL = new byte[3_000_000];
    private static final Duration LIMIT = Duration.ofSeconds(10);

    /** Thrown once, when an acknowledgement is heard. */
    final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();

    final List<String> heard = new CopyOnWriteArrayList<>();
    final PrimaryChannel channel;
    final CloseStack staged = new CloseStack();
    private final Arena arena = Arena.ofShared();

    static {
        for (int i = 0; i < KERNEL.length; i++) {
            KERNEL[i] = (byte) (i * 31);
        }
    }

    TestPrimary(HostAddress backup) {
        this(backup, limits());
    }

    TestPrimary(HostAddress backup, PrimaryChannelSettings.Limits limits) {
        this(backup, "beta", limits);
    }

    /** @param backupName what the backup is expected to call itself */
    TestPrimary(HostAddress backup, String backupName, PrimaryChannelSettings.Limits limits) {
        this(backup, backupName, Compression.NEVER, limits);
    }

    TestPrimary(HostAddress backup, String backupName, Compression compression, PrimaryChannelSettings.Limits limits) {
        channel = new PrimaryChannel(
                new PrimaryChannelSettings(
                        backup,
                        backupName,
                        hello(),
                        TERM,
                        name -> Channels.newChannel(new java.io.ByteArrayInputStream(KERNEL)),
                        compression,
                        limits),
                this,
                TestBackup.TIME);
    }

    static PrimaryChannelSettings.Limits limits() {
        return new PrimaryChannelSettings.Limits(
                Duration.ofMillis(200),
                Duration.ofSeconds(2),
                Duration.ofSeconds(5),
                Duration.ofSeconds(2),
                Duration.ofSeconds(2));
    }

    static Hello hello() {
        return new Hello(
                Hello.Mode.NEW,
                "shop",
                "alpha",
                new HostAddress("127.0.0.1", 7420),
                "pc-q35-7.2",
                "7.2.22",
                (long) GUEST_PAGES * PAGE_BYTES,
                PAGE_BYTES,
                Duration.ofMillis(25),
                Duration.ofMillis(300),
                0,
                new byte[] {1, 2, 3},
                List.of(new HelloFile("vmlinuz", KERNEL.length, Digest.of(new byte[32]))),
                DISKS);
    }

    /** Pages {@code first} to {@code first + count - 1}, each full of {@code fill}, as single-page runs and one long. */
    StagedPages pages(long first, int count, int fill) throws CheckpointException {
        StagedPages pages = staged.push(new StagedPages(PAGE_BYTES, 1L << 30));
        append(pages, first, count, fill);
        return pages;
    }

    private void append(StagedPages pages, long first, int count, int fill) throws CheckpointException {
        MemorySegment source = arena.allocate((long) count * PAGE_BYTES).fill((byte) fill);
        int single = Math.min(3, count - 1);
        for (int i = 0; i < single; i++) {
            pages.append(first + i, 1, source, 0);
        }
        pages.append(first + single, count - single, source, 0);
    }

    StagedCheckpoint checkpoint(long epoch, int pageCount) throws CheckpointException {
        StagedCheckpoint checkpoint =
                staged.push(new StagedCheckpoint(new StagedPages(PAGE_BYTES, 1L << 30), 16 << 20));
        checkpoint.begin(new EpochId(epoch), epoch == 1);
        int fill = (int) (epoch % 100) + 1;
        append(checkpoint.pages(), 100, pageCount, fill);
        checkpoint.pages().appendZero(50, 7);
        append(checkpoint.pages(), 50, 1, fill);
        MemorySegment state = arena.allocate(100_000 + epoch).fill((byte) fill);
        checkpoint.deviceState().append(state, 0, state.byteSize());
        MemorySegment frame = arena.allocate(4 + 1400).fill((byte) fill);
        frame.set(JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN), 0, 1400);
        for (int i = 0; i < 1000; i++) {
            checkpoint.outputFrames().append(frame, 0, frame.byteSize());
            checkpoint.countOutputFrame();
        }
        checkpoint.setInboundMark(epoch * 10);
        return checkpoint;
    }

    void mirror(long sequence, int length, int fill) {
        channel.mirrorInbound(sequence, arena.allocate(length).fill((byte) fill), 0, length);
    }

    /** Opens the channel and completes the synchronization with checkpoint 1. */
    void synchronize() throws CheckpointException {
        channel.open();
        await("ready");
        channel.send(checkpoint(1, 10));
        await("acknowledged 1");
    }

    void await(String event) {
        await(() -> "'" + event + "' among " + heard, () -> heard.contains(event));
    }

    static void await(String what, BooleanSupplier condition) {
        await(() -> what, condition);
    }

    static void await(Supplier<String> what, BooleanSupplier condition) {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("did not come within " + LIMIT + ": " + what.get());
            }
            java.util.concurrent.locks.LockSupport.parkNanos(1_000_000);
        }
    }

    @Override
    public void backupReady(Set<String> disksWithContent) {
        heard.add("ready");
        if (!disksWithContent.isEmpty()) {
            heard.add("content " + disksWithContent);
        }
    }

    @Override
    public void diskDigests(int disk, long firstBlock, byte[] digests) {
        heard.add("digests " + disk + " " + firstBlock + " " + digests.length + " " + digests[0]);
    }

    @Override
    public void writesAreFilling() {
        heard.add("filling");
    }

    @Override
    public void chunkSent(StagedPages chunk) {
        heard.add("chunk " + chunk.pageCount());
    }

    @Override
    public void acknowledged(EpochId epoch) {
        Throwable thrown = failure.getAndSet(null);
        if (thrown instanceof RuntimeException exception) {
            throw exception;
        }
        if (thrown instanceof Error error) {
            throw error;
        }
        heard.add("acknowledged " + epoch);
    }

    @Override
    public void disconnected(String cause) {
        heard.add("disconnected");
        heard.add("cause: " + cause);
    }

    @Override
    public void reconnected(EpochId lastWhole) {
        heard.add("reconnected " + lastWhole);
    }

    @Override
    public void refused(String reason) {
        heard.add("refused");
        heard.add("reason: " + reason);
    }

    @Override
    public void signOffUnanswered(String reason) {
        heard.add("sign-off unanswered");
    }

    @Override
    public void signedOff(String reason) {
        heard.add("signed off " + reason);
    }

    @Override
    public void backupLost(String reason) {
        heard.add("backup lost");
        heard.add("reason: " + reason);
    }

    @Override
    public void reliefWanted(String reason) {
        heard.add("relief " + reason);
    }

    @Override
    public void backupActivated(String reason) {
        heard.add("activated " + reason);
    }

    @Override
    public void channelFailed(Throwable cause) {
        heard.add("channel failed " + cause.getClass().getSimpleName());
    }

    @Override
    public void verified(EpochId epoch, boolean equal) {
        heard.add("verified " + epoch + " " + equal);
    }

    @Override
    public void close() {
        channel.close();
        staged.close();
        arena.close();
    }
}
