package remus.replication;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.Time;
import remus.checkpoint.BackupChannel;
import remus.checkpoint.ForwardedWrites;
import remus.checkpoint.OutgoingPages;
import remus.wire.DiskBlocks;
import remus.wire.FrameEncoder;
import remus.wire.FrameHeader;
import remus.wire.FrameType;
import remus.wire.Hello;
import remus.wire.HelloDisk;
import remus.wire.Payloads;
import remus.wire.Refusal;
import remus.wire.Welcome;
import remus.wire.WireException;

/**
 * One connection of a {@link PrimaryChannel}, from the hello to its end, on the channel's thread. An exception from
 * {@link #run} means that the connection is lost, not the session.
 *
 * <p>Stages and what leads out of them:
 * <ul>
 *   <li>GREETING: the hello is sent. WELCOME: FLOWING for a resumed session, else FILES, or PREPARING when the backup
 *       lacks no file.
 *   <li>FILES: the last frame of the last wanted file is made: PREPARING.
 *   <li>PREPARING: READY: FLOWING.
 *   <li>FLOWING: prompt and bulk frames go out, answers come in.
 *   <li>OVER, from any stage: SIGNED_OFF, STANDBY_LOST or ACTIVATED came, or a REFUSAL that ends the session; before
 *       the end of the first checkpoint also a sign-off without an answer, or a file that can't be read.
 * </ul>
 * What ends a session: {@link BackupChannel.Listener}.
 */
final class PrimaryLink implements AutoCloseable {
    /** Prompt frames that may go out before bulk data gets its turn, so that a flood of input can't starve it. */
    private static final int MAX_PROMPT_BURST = 16;

    /** Longest wait without a look at the limits, in nanoseconds. */
    private static final long MAX_WAIT_NANOS = 10_000_000;

    /** How long disk writes gather that follow each other; a small part of an epoch, at whose end they are needed. */
    private static final long GATHER_NANOS = 2_000_000;

    private static final int RECEIVE_BUFFER_BYTES = 64 << 10;
    private static final Set<FrameType> FROM_BACKUP = fromBackup();

    private enum Stage {
        GREETING,
        FILES,
        PREPARING,
        FLOWING,
        OVER
    }

    private final Transport transport;
    private final PrimaryChannelSettings settings;
    private final OutgoingQueue queue;
    private final WriteQueue writes;
    private final BackupChannel.Listener listener;
    private final AtomicReference<@Nullable String> reconnectWanted;
    private final Time time;
    private final FrameReceiver receiver;
    private final OutgoingFrame frame;
    private final BulkFrames bulk;
    private final LinkSpeed speed;
    private final Hello.Mode mode;
    private Stage stage = Stage.GREETING;
    private long lastReceivedNanos;
    private long stageBeganNanos;
    private long firstEndNanos;
    private int promptBurst;
    private boolean writesTurn;
    private OutgoingQueue.@Nullable Item item;
    private @Nullable FileSender files;
    private Set<String> disksWithContent = Set.of();
    private @Nullable Runnable ending;

    PrimaryLink(
            Transport transport,
            PrimaryChannelSettings settings,
            OutgoingQueue queue,
            WriteQueue writes,
            OutgoingPages pages,
            LinkSpeed speed,
            CompressionChoice choice,
            PageTraffic traffic,
            BackupChannel.Listener listener,
            AtomicReference<@Nullable String> reconnectWanted,
            Time time) {
        this.transport = transport;
        this.settings = settings;
        this.queue = queue;
        this.writes = writes;
        this.listener = listener;
        this.reconnectWanted = reconnectWanted;
        this.time = time;
        mode = queue.isResumable() ? Hello.Mode.RESUME : Hello.Mode.NEW;
        receiver = new FrameReceiver(transport, FROM_BACKUP, RECEIVE_BUFFER_BYTES);
        this.speed = speed;
        speed.starved();
        frame = new OutgoingFrame(transport, new FrameEncoder(settings.term()), speed, time);
        bulk = new BulkFrames(frame, pages, choice, traffic, writes::areOut, time);
        lastReceivedNanos = time.nanos();
        firstEndNanos = lastReceivedNanos;
    }

    /** Whether the backup had taken the session on this connection. */
    boolean wasWelcomed() {
        return stage != Stage.GREETING;
    }

    /** Whether pages may have been sent on this connection. */
    boolean wasReady() {
        return stage == Stage.FLOWING || stage == Stage.OVER;
    }

    /**
     * Runs the connection until the session is over, and returns what the listener is to be told then, or null when
     * {@code closed} says that nobody wants to know.
     */
    @Nullable
    Runnable run(BooleanSupplier closed) throws IOException, WireException {
        enter(Stage.GREETING);
        settings.hello().withMode(mode).encode(frame.begin());
        frame.finish(FrameType.HELLO, queue.lastSealed());
        while (ending == null && !closed.getAsBoolean()) {
            readAnswers();
            if (ending != null || (write() && makeFrame())) {
                continue;
            }
            if (frame.isSent()) {
                speed.starved();
            }
            checkLimits();
            String wanted = reconnectWanted.getAndSet(null);
            if (wanted != null) {
                throw new IOException(wanted);
            }
            transport.await(true, !frame.isSent(), writes.gather() ? GATHER_NANOS : MAX_WAIT_NANOS);
        }
        return ending;
    }

    private boolean write() throws IOException, WireException {
        try {
            return frame.write();
        } catch (IOException e) {
            // The backup's last word may have arrived before it closed.
            readAnswers();
            if (ending != null) {
                return false;
            }
            throw e;
        }
    }

    private void enter(Stage next) {
        stage = next;
        stageBeganNanos = time.nanos();
    }

    private void end(Runnable last) {
        ending = last;
        stage = Stage.OVER;
    }

    private void checkLimits() throws IOException {
        long now = time.nanos();
        PrimaryChannelSettings.Limits limits = settings.limits();
        if (queue.withdrawOverdueSignOff(now)) {
            giveUpSignOff("the backup " + settings.backup() + " did not answer the sign-off within "
                    + limits.signOff().toMillis() + " ms");
            return;
        }
        long sinceByte = now - lastReceivedNanos;
        long sinceStage = now - stageBeganNanos;
        // A backup may have been silent for longer than this while memory and disks came in.
        long sinceEnd = now - firstEndNanos;
        boolean late = switch (stage) {
            // A backup opens its images of the disks before it answers, which nobody waits for but the session itself.
            case GREETING -> sinceStage > (opensDisks() ? limits.ready() : limits.welcome()).toNanos();
            // What can't be resumed is not given up for a pause that costs nothing yet.
            case FILES, PREPARING ->
                Math.min(sinceByte, sinceStage) > limits.ready().toNanos();
            case FLOWING ->
                queue.isResumable()
                        ? Math.min(sinceByte, sinceEnd) > limits.silence().toNanos()
                        : sinceByte > limits.ready().toNanos();
            case OVER -> false;
        };
        if (late) {
            throw new IOException("it is silent, nothing came for "
                    + Math.min(sinceByte, sinceStage) / 1_000_000 + " ms"
                    + (stage == Stage.FLOWING ? "" : " in stage " + stage));
        }
    }

    private boolean opensDisks() {
        return mode == Hello.Mode.NEW && !settings.hello().disks().isEmpty();
    }

    /** Nothing may follow a SIGN_OFF, so the session can only go on over another connection. */
    private void giveUpSignOff(String reason) throws IOException {
        if (!queue.isResumable()) {
            end(() -> listener.refused(reason));
            return;
        }
        listener.signOffUnanswered(reason);
        throw new IOException(reason);
    }

    private boolean makeFrame() throws IOException {
        if (stage == Stage.GREETING || stage == Stage.OVER) {
            return false;
        }
        if (promptBurst < MAX_PROMPT_BURST && makePromptFrame()) {
            promptBurst++;
            return true;
        }
        if (stage == Stage.FILES ? makeFileFrame() : makeBulkFrame()) {
            promptBurst = 0;
            return true;
        }
        boolean burstEnded = promptBurst == MAX_PROMPT_BURST;
        promptBurst = 0;
        return burstEnded && makePromptFrame();
    }

    private boolean makePromptFrame() {
        OutgoingQueue.Prompt prompt = queue.takePrompt(frame.begin(), stage == Stage.FLOWING);
        if (prompt == null) {
            return false;
        }
        frame.finish(prompt.type(), prompt.epoch());
        return true;
    }

    private boolean makeFileFrame() throws IOException {
        FileSender from = files;
        if (from == null || queue.isSigningOff()) {
            return false;
        }
        try {
            from.next();
        } catch (IOException e) {
            // Not the connection's fault, and another one would not help.
            end(() -> listener.refused("a file that the VM needs could not be sent: " + e.getMessage()));
            return false;
        }
        if (from.isDone()) {
            enter(Stage.PREPARING);
        }
        return true;
    }

    /** Disk writes and other bulk data take turns, so that neither keeps the other waiting for long. */
    private boolean makeBulkFrame() {
        if (stage != Stage.FLOWING || queue.isSigningOff()) {
            return false;
        }
        writesTurn = !writesTurn;
        return writesTurn ? makeDiskFrame() || makeItemFrame() : makeItemFrame() || makeDiskFrame();
    }

    private boolean makeDiskFrame() {
        DiskBlocks blocks = writes.takeComparison();
        if (blocks != null) {
            blocks.encode(frame.begin());
            frame.finish(FrameType.DISK_COMPARE, EpochId.NONE);
            return true;
        }
        ForwardedWrites.Batch batch = writes.next();
        if (batch == null) {
            return false;
        }
        frame.begin().putInt(batch.count()).put(batch.table());
        if (batch.length() > 0) {
            frame.addPart(batch.data(), batch.offset(), batch.length());
        }
        frame.finish(FrameType.DISK_WRITES, batch.epoch());
        return true;
    }

    private boolean makeItemFrame() {
        while (true) {
            OutgoingQueue.Item sending = item;
            if (sending == null) {
                sending = queue.nextBulk();
                if (sending == null) {
                    return false;
                }
                item = sending;
                bulk.start(sending);
            }
            switch (bulk.next()) {
                case MADE -> {
                    if (bulk.hasEndedCheckpoint()) {
                        if (!queue.isResumable()) {
                            firstEndNanos = time.nanos();
                        }
                        queue.checkpointEnded();
                    }
                    return true;
                }
                case WAITS -> {
                    return false;
                }
                case DONE -> {
                    item = null;
                    if (sending.chunk() != null) {
                        queue.chunkSent();
                        listener.chunkSent(sending.chunk());
                    }
                }
            }
        }
    }

    private void readAnswers() throws IOException, WireException {
        do {
            FrameHeader header = receiver.next();
            while (header != null && ending == null) {
                lastReceivedNanos = time.nanos();
                receive(header);
                header = receiver.next();
            }
        } while (ending == null && receiver.fill());
    }

    private void receive(FrameHeader header) throws IOException, WireException {
        if (!header.term().equals(settings.term())) {
            throw WireException.corrupt(
                    "a frame of type " + header.type() + " has term=" + header.term() + " expected=" + settings.term());
        }
        ByteBuffer payload = receiver.payload();
        EpochId epoch = header.epoch();
        switch (header.type()) {
            case WELCOME -> welcomed(Welcome.decode(payload), epoch);
            case READY -> {
                require(stage == Stage.PREPARING, header);
                Payloads.decodeEmpty(payload);
                enter(Stage.FLOWING);
                listener.backupReady(disksWithContent);
            }
            case ACKNOWLEDGE -> {
                require(stage == Stage.FLOWING, header);
                Payloads.decodeEmpty(payload);
                queue.acknowledge(epoch);
                listener.acknowledged(epoch);
            }
            case HEARTBEAT -> {
                require(stage != Stage.GREETING, header);
                Payloads.decodeEmpty(payload);
            }
            case VERIFIED -> {
                require(stage == Stage.FLOWING, header);
                listener.verified(epoch, Payloads.decodeVerified(payload));
            }
            case DISK_DIGESTS -> {
                require(stage == Stage.FLOWING, header);
                receiveDigests(payload);
            }
            case RELIEF -> {
                require(stage != Stage.GREETING, header);
                listener.reliefWanted(Payloads.decodeReason(payload));
            }
            case REFUSAL -> refused(Refusal.decode(payload));
            case SIGNED_OFF -> endWith(payload, listener::signedOff);
            case STANDBY_LOST -> endWith(payload, listener::backupLost);
            case ACTIVATED -> endWith(payload, listener::backupActivated);
            case HELLO,
                    FILE_DATA,
                    PAGES,
                    ZERO_PAGES,
                    CHECKPOINT_BEGIN,
                    DEVICE_STATE,
                    OUTPUT_FRAMES,
                    CHECKPOINT_END,
                    RELEASED,
                    CODED_PAGES,
                    INBOUND_FRAMES,
                    GUEST_DEAD,
                    HAND_OVER,
                    SIGN_OFF,
                    OWNER_QUERY,
                    OWNER_ANSWER,
                    FENCE,
                    FENCED,
                    DISK_WRITES,
                    DISK_COMPARE,
                    HOST_QUERY,
                    HOST_ANSWER,
                    ECHO,
                    ECHOED,
                    DISCARD -> require(false, header);
        }
    }

    private void receiveDigests(ByteBuffer payload) throws WireException {
        DiskBlocks blocks =
                DiskBlocks.decodeBeforeDigests(payload, settings.hello().disks());
        writes.compared(blocks);
        byte[] digests = new byte[payload.remaining()];
        payload.get(digests);
        listener.diskDigests(blocks.disk(), blocks.firstBlock(), digests);
    }

    /**
     * Only a refusal that proves that the backup has no image, and so never will activate, ends a resumable session; any
     * but BUSY ends one that is not.
     */
    private void refused(Refusal refusal) throws IOException {
        String reason = refusal.reason();
        boolean answersResume = mode == Hello.Mode.RESUME && stage == Stage.GREETING;
        if (refusal.code() == Refusal.Code.ACTIVATED) {
            end(() -> listener.backupActivated(reason));
        } else if (!queue.isResumable() && refusal.code() != Refusal.Code.BUSY) {
            end(() -> listener.refused(reason));
        } else if (answersResume && refusal.code() == Refusal.Code.UNKNOWN_SESSION) {
            end(() -> listener.backupLost("the backup has no image: " + reason));
        } else {
            throw new IOException("the backup refuses to go on (" + refusal.code() + "): " + reason);
        }
    }

    private void welcomed(Welcome welcome, EpochId lastWhole) throws WireException {
        if (stage != Stage.GREETING) {
            throw WireException.corrupt("a second WELCOME");
        }
        if (!welcome.host().equals(settings.backupName())) {
            // Whom the ownership record names has to be the one that has the checkpoints.
            end(() -> listener.refused("the host at %s calls itself '%s', and was '%s' before"
                    .formatted(settings.backup(), welcome.host(), settings.backupName())));
            return;
        }
        switch (mode) {
            case NEW -> {
                queue.rewind(EpochId.NONE);
                disksWithContent = known(welcome.disksWithContent());
                files = new FileSender(frame, settings.files(), settings.hello(), welcome.wantedFiles());
                enter(welcome.wantedFiles().isEmpty() ? Stage.PREPARING : Stage.FILES);
                listener.welcomed();
            }
            case RESUME -> {
                if (queue.lastAcknowledged().isAfter(lastWhole)) {
                    end(() -> listener.backupLost("the backup has lost its image: its last whole epoch is " + lastWhole
                            + ", it had acknowledged more"));
                    return;
                }
                if (lastWhole.equals(EpochId.NONE)) {
                    end(() -> listener.backupLost("the backup has no image: it has no whole checkpoint"));
                    return;
                }
                queue.rewind(lastWhole);
                enter(Stage.FLOWING);
                listener.reconnected(lastWhole);
            }
        }
    }

    private Set<String> known(List<String> disks) throws WireException {
        Set<String> known =
                settings.hello().disks().stream().map(HelloDisk::name).collect(Collectors.toSet());
        if (!known.containsAll(disks)) {
            throw WireException.corrupt("the backup names disks " + disks + ", the VM has " + known);
        }
        return Set.copyOf(disks);
    }

    private void endWith(ByteBuffer payload, Consumer<String> call) throws WireException {
        String reason = Payloads.decodeReason(payload);
        end(() -> call.accept(reason));
    }

    private void require(boolean fits, FrameHeader header) throws WireException {
        if (!fits) {
            throw WireException.corrupt("a frame of type " + header.type() + " came in stage " + stage);
        }
    }

    @Override
    public void close() throws IOException {
        transport.close();
        receiver.close();
        if (files != null) {
            files.close();
        }
    }

    private static Set<FrameType> fromBackup() {
        Set<FrameType> types = EnumSet.noneOf(FrameType.class);
        for (FrameType type : FrameType.values()) {
            if (type.sender() == FrameType.Sender.BACKUP || type.sender() == FrameType.Sender.BOTH) {
                types.add(type);
            }
        }
        return Set.copyOf(types);
    }
}
