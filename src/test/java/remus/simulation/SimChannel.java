package remus.simulation;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.Term;
import remus.checkpoint.BackupChannel;
import remus.checkpoint.DiskOperation;
import remus.checkpoint.DiskWriteCount;
import remus.checkpoint.ForwardedWrites;
import remus.checkpoint.StagedCheckpoint;
import remus.checkpoint.StagedPages;
import remus.simulation.Connection.End;
import remus.wire.FrameHeader;
import remus.wire.FrameType;
import remus.wire.Hello;
import remus.wire.Payloads;
import remus.wire.Refusal;
import remus.wire.Welcome;
import remus.wire.WireException;

/**
 * The primary's end of a session, as the contract of {@link BackupChannel} has it: bulk data goes out piece by piece,
 * small messages overtake it, disk writes come before the end of their checkpoint, and a lost connection is made again,
 * whereupon all that was not acknowledged is sent once more.
 */
final class SimChannel implements BackupChannel {
    @SuppressWarnings("ArrayRecordComponent") // Nobody compares or changes them.
    private record Mirrored(long sequence, byte[] frame) {
        byte[] encoded(Term term) {
            return Wire.frame(
                    term,
                    FrameType.INBOUND_FRAMES,
                    EpochId.NONE,
                    64 + frame.length,
                    payload -> payload.putLong(sequence)
                            .putInt(1)
                            .putInt(frame.length)
                            .put(frame));
        }
    }

    private static final long GATHER_NANOS = 4 * Scheduler.MILLISECOND;

    private final Daemon daemon;
    private final Machine peer;
    private final Term term;
    private final Listener listener;
    private final Scheduler scheduler;
    private final long silenceNanos;
    private final ForwardedWrites writes = new ForwardedWrites();
    private final Deque<StagedPages> chunks = new ArrayDeque<>();
    private final List<StagedCheckpoint> unacknowledged = new ArrayList<>();
    private final Deque<Mirrored> mirrored = new ArrayDeque<>();
    private int begunCount;
    private @Nullable CheckpointMaker making;
    private @Nullable End end;
    private boolean welcomed;
    private boolean ready;
    private boolean resumable;
    private boolean over;
    private boolean sending;
    private long lastHeardNanos;
    private EpochId lastAcknowledged = EpochId.NONE;
    // Of the present connection.
    private final Map<EpochId, DiskWriteCount> sentWrites = new HashMap<>();
    private EpochId lastEnded = EpochId.NONE;
    private EpochId released = EpochId.NONE;
    private @Nullable String guestDead;
    private @Nullable String signOff;
    private boolean letsThrough;

    SimChannel(Daemon daemon, Machine peer, Term term, Listener listener) {
        this.daemon = daemon;
        this.peer = peer;
        this.term = term;
        this.listener = listener;
        scheduler = daemon.world().scheduler();
        silenceNanos = daemon.world().timing().detectNanos() * 2;
    }

    // ---- the connection

    @Override
    public void open() {
        connect();
    }

    private void connect() {
        if (over || !daemon.isAlive() || end != null) {
            return;
        }
        Connection connection = daemon.world().connect(daemon, peer);
        if (connection == null) {
            connectLater();
            return;
        }
        End own = connection.client();
        daemon.owns(own);
        end = own;
        welcomed = false;
        ready = false;
        making = null;
        begunCount = 0;
        lastEnded = EpochId.NONE;
        sentWrites.clear();
        lastHeardNanos = scheduler.nanos();
        Hello.Mode mode = resumable ? Hello.Mode.RESUME : Hello.Mode.NEW;
        Hello hello = Wire.hello(mode, daemon.name().name(), daemon.world().timing());
        own.send(Wire.frame(term, FrameType.HELLO, lastSealed(), Wire.SMALL_BYTES, hello::encode));
        own.readBy(this::read);
    }

    private void connectLater() {
        scheduler.after(
                scheduler.span(5 * Scheduler.MILLISECOND, 40 * Scheduler.MILLISECOND),
                () -> daemon.post(this::connect));
    }

    private EpochId lastSealed() {
        return unacknowledged.isEmpty()
                ? lastAcknowledged
                : unacknowledged.getLast().epoch();
    }

    /** Looks after the limits; called at each turn of the agent. */
    void tick() {
        End present = end;
        if (present != null && scheduler.nanos() - lastHeardNanos > silenceNanos) {
            lost("the backup is silent");
        }
        if (making != null || begunCount < unacknowledged.size() || !chunks.isEmpty() || writes.hasUnsent()) {
            sendSome();
        }
    }

    boolean isConnected() {
        return ready;
    }

    private void lost(String cause) {
        End present = end;
        if (over || present == null) {
            return;
        }
        present.close();
        end = null;
        ready = false;
        making = null;
        if (resumable) {
            listener.disconnected(cause);
            connectLater();
        } else {
            over(() -> listener.backupLost(cause));
        }
    }

    private void over(Runnable last) {
        close();
        last.run();
    }

    // ---- what comes back

    private void read(End from) {
        while (end == from && !over) {
            byte[] frame = from.read();
            if (frame == null) {
                if (from.isEnded()) {
                    lost("the connection ended");
                }
                return;
            }
            lastHeardNanos = scheduler.nanos();
            try {
                ByteBuffer bytes = ByteBuffer.wrap(frame);
                FrameHeader header = FrameHeader.decode(bytes, 0);
                Violation.unless(header.term().equals(term), Rule.WIRE, "%s in session %s", header, term);
                receive(header, Wire.payload(bytes, header));
            } catch (WireException e) {
                throw new Violation(Rule.WIRE, "the primary does not understand its backup: " + e.getMessage(), e);
            }
        }
    }

    private void receive(FrameHeader header, ByteBuffer payload) throws WireException {
        switch (header.type()) {
            case WELCOME -> {
                Welcome.decode(payload);
                welcomed = true;
                if (resumable) {
                    resumed(header.epoch());
                }
            }
            case READY -> {
                ready = true;
                listener.backupReady(Set.of());
            }
            case ACKNOWLEDGE -> {
                dropThrough(header.epoch());
                listener.acknowledged(header.epoch());
            }
            case HEARTBEAT -> Payloads.decodeEmpty(payload);
            case REFUSAL -> refused(Refusal.decode(payload));
            case SIGNED_OFF -> {
                String reason = Payloads.decodeReason(payload);
                over(() -> listener.signedOff(reason));
            }
            case STANDBY_LOST -> {
                String reason = Payloads.decodeReason(payload);
                over(() -> listener.backupLost(reason));
            }
            case ACTIVATED -> {
                String reason = Payloads.decodeReason(payload);
                over(() -> listener.backupActivated(reason));
            }
            default -> throw new Violation(Rule.WIRE, "a backup sends " + header, null);
        }
    }

    private void refused(Refusal refusal) {
        if (refusal.code() == Refusal.Code.ACTIVATED) {
            over(() -> listener.backupActivated(refusal.reason()));
        } else if (!resumable) {
            over(() -> listener.refused(refusal.reason()));
        } else if (refusal.code() == Refusal.Code.UNKNOWN_SESSION) {
            over(() -> listener.backupLost(refusal.reason()));
        } else {
            lost(refusal.reason());
        }
    }

    private void resumed(EpochId lastWhole) {
        if (lastAcknowledged.isAfter(lastWhole) || lastWhole.equals(EpochId.NONE)) {
            over(() -> listener.backupLost("it holds less than it had acknowledged"));
            return;
        }
        dropThrough(lastWhole);
        writes.rewind();
        ready = true;
        saySignOff();
        prompt(FrameType.HEARTBEAT, EpochId.NONE);
        for (Mirrored frame : mirrored) {
            send(frame.encoded(term));
        }
        if (released.isAfter(EpochId.NONE)) {
            prompt(FrameType.RELEASED, released);
        }
        sayGuestDead();
        listener.reconnected(lastWhole);
        sendSome();
    }

    private void dropThrough(EpochId epoch) {
        if (epoch.isAfter(lastAcknowledged)) {
            lastAcknowledged = epoch;
            writes.dropThrough(epoch);
        }
        while (!unacknowledged.isEmpty() && !unacknowledged.getFirst().epoch().isAfter(epoch)) {
            long mark = unacknowledged.removeFirst().inboundMark();
            begunCount = Math.max(0, begunCount - 1);
            while (!mirrored.isEmpty() && mirrored.element().sequence() < mark) {
                mirrored.remove();
            }
        }
    }

    // ---- what goes out

    /** Nothing follows a sign-off. */
    private void send(byte[] frame) {
        End present = end;
        if (present != null && !over && signOff == null) {
            present.send(frame);
        }
    }

    private void prompt(FrameType type, EpochId epoch) {
        if (ready || (welcomed && type == FrameType.HEARTBEAT)) {
            send(Wire.empty(term, type, epoch));
        }
    }

    /** Bulk data is sent as the connection takes it. */
    private void sendSome() {
        if (!sending) {
            sending = true;
            // Writes that follow each other gather before they are sent.
            boolean gathers = making == null && begunCount == unacknowledged.size() && chunks.isEmpty();
            scheduler.after(scheduler.span(0, gathers ? GATHER_NANOS : 150 * Scheduler.MICROSECOND), () -> {
                sending = false;
                if (daemon.isRunning() && ready && !over && signOff == null) {
                    for (int i = scheduler.between(1, 4); i > 0 && sendOne(); i--) {
                        // As long as there is something.
                    }
                }
            });
        }
    }

    private boolean sendOne() {
        CheckpointMaker present = making;
        if (present == null || present.isDone()) {
            present = nextMaker();
            making = present;
        }
        boolean waits = present != null
                && !(present.isAtEnd() && daemon.world().sabotage().endsBeforeItsDiskWrites())
                && (present.isAtEnd() || present.epoch().value() <= 1)
                && writes.hasUnsentThrough(present.isAtEnd() ? present.epoch() : EpochId.NONE);
        ForwardedWrites.Batch batch =
                writes.hasUnsent() && (present == null || waits || scheduler.chance(0.4)) ? writes.next() : null;
        if (batch != null) {
            if (batch.epoch().isAfter(lastEnded) || batch.epoch().equals(EpochId.NONE)) {
                sentWrites.merge(batch.epoch(), new DiskWriteCount(batch.count(), batch.length()), SimChannel::sum);
                send(encoded(batch));
            }
        } else if (present != null && !waits) {
            make(present);
        } else {
            return false;
        }
        sendSome();
        return true;
    }

    private static DiskWriteCount sum(DiskWriteCount one, DiskWriteCount other) {
        return new DiskWriteCount(one.operations() + other.operations(), one.bytes() + other.bytes());
    }

    private void make(CheckpointMaker from) {
        if (from.isAtEnd()) {
            resumable = true;
            lastEnded = from.epoch();
        }
        boolean claimsLess = daemon.world().sabotage().endsBeforeItsDiskWrites();
        send(from.next(claimsLess ? sentWrites.getOrDefault(from.epoch(), DiskWriteCount.NONE) : null));
        if (from.isDone()) {
            making = null;
            if (!from.isCheckpoint()) {
                StagedPages chunk = chunks.remove();
                daemon.post(() -> listener.chunkSent(chunk));
            }
        }
    }

    private @Nullable CheckpointMaker nextMaker() {
        StagedPages chunk = chunks.peek();
        if (chunk != null) {
            return new CheckpointMaker(term, chunk);
        }
        if (begunCount < unacknowledged.size()) {
            StagedCheckpoint checkpoint = unacknowledged.get(begunCount++);
            Sabotage sabotage = daemon.world().sabotage();
            return new CheckpointMaker(
                    term, checkpoint, sabotage.inboundMark(checkpoint), sabotage.forgetsPages(checkpoint));
        }
        return null;
    }

    private byte[] encoded(ForwardedWrites.Batch batch) {
        int bytes = Integer.BYTES + batch.table().remaining() + (int) batch.length();
        return Wire.frame(term, FrameType.DISK_WRITES, batch.epoch(), bytes, payload -> {
            payload.putInt(batch.count()).put(batch.table());
            CheckpointMaker.put(payload, batch.data(), batch.offset(), (int) batch.length());
        });
    }

    // ---- what the engine and the guest's network ask

    @Override
    public void send(StagedCheckpoint checkpoint) {
        if (!over) {
            unacknowledged.add(checkpoint);
            sendSome();
        }
    }

    @Override
    public void sendPages(StagedPages chunk) {
        if (!over) {
            chunks.add(chunk);
            sendSome();
        }
    }

    @Override
    public void mirrorInbound(long sequence, MemorySegment frames, long offset, int length) {
        byte[] copy = frames.asSlice(offset, length).toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
        Mirrored kept = new Mirrored(sequence, copy);
        mirrored.add(kept);
        if (ready) {
            send(kept.encoded(term));
        }
    }

    @Override
    public void reportReleased(EpochId epoch) {
        released = epoch;
        prompt(FrameType.RELEASED, epoch);
    }

    @Override
    public void heartbeat(EpochId sealed) {
        prompt(FrameType.HEARTBEAT, sealed);
    }

    @Override
    public void reportGuestDead(String reason) {
        guestDead = reason;
        sayGuestDead();
    }

    private void sayGuestDead() {
        String reason = guestDead;
        if (ready && reason != null) {
            send(Wire.frame(
                    term,
                    FrameType.GUEST_DEAD,
                    lastSealed(),
                    Wire.SMALL_BYTES,
                    payload -> Payloads.encodeReason(payload, reason)));
        }
    }

    @Override
    public void signOff(String reason) {
        if (signOff == null) {
            signOff = reason;
            saySignOff();
        }
    }

    private void saySignOff() {
        String reason = signOff;
        End present = end;
        if (ready && reason != null && present != null) {
            present.send(Wire.frame(
                    term,
                    FrameType.SIGN_OFF,
                    lastSealed(),
                    Wire.SMALL_BYTES,
                    payload -> Payloads.encodeReason(payload, reason)));
        }
    }

    /** The sign-off was not answered: it goes on as if it had not been asked for, over a new connection. */
    void withdrawSignOff() {
        signOff = null;
        lost("the sign-off was not answered");
    }

    @Override
    public void reconnect(String reason) {
        lost(reason);
    }

    @Override
    public boolean forward(
            EpochId epoch,
            int disk,
            DiskOperation operation,
            long offset,
            long length,
            MemorySegment data,
            long dataOffset) {
        if (over) {
            return false;
        }
        writes.add(epoch, disk, operation, offset, length, data, dataOffset);
        sendSome();
        return true;
    }

    @Override
    public void letWritesThrough(boolean through) {
        letsThrough = through;
    }

    boolean letsWritesThrough() {
        return letsThrough;
    }

    @Override
    public void compare(int disk, long firstBlock, int count) {
        throw new IllegalStateException("nothing is compared here");
    }

    @Override
    public void close() {
        if (!over) {
            over = true;
            ready = false;
            End present = end;
            end = null;
            if (present != null) {
                present.close();
            }
            writes.close();
        }
    }
}
