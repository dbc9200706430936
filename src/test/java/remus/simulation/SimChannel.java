package remus.simulation;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.Term;
import remus.checkpoint.BackupChannel;
import remus.checkpoint.DiskOperation;
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

    private final Daemon daemon;
    private final Machine peer;
    private final Term term;
    private final Listener listener;
    private final Scheduler scheduler;
    private final long silenceNanos;
    private final BulkQueue bulk;
    private final Deque<Mirrored> mirrored = new ArrayDeque<>();
    private @Nullable End end;
    private boolean welcomed;
    private boolean ready;
    private boolean over;
    private long lastHeardNanos;
    private EpochId lastAcknowledged = EpochId.NONE;
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
        bulk = new BulkQueue(this, daemon, term, listener);
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
        bulk.connected();
        lastHeardNanos = scheduler.nanos();
        Hello.Mode mode = bulk.isResumable() ? Hello.Mode.RESUME : Hello.Mode.NEW;
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
        return bulk.lastSealed(lastAcknowledged);
    }

    /** Looks after the limits; called at each turn of the agent. */
    void tick() {
        End present = end;
        if (present != null && scheduler.nanos() - lastHeardNanos > silenceNanos) {
            lost("the backup is silent");
        }
        bulk.goOn();
    }

    /** Whether bulk data may be sent now. */
    boolean takesBulk() {
        return daemon.isRunning() && ready && !over && signOff == null;
    }

    private void lost(String cause) {
        End present = end;
        if (over || present == null) {
            return;
        }
        present.close();
        end = null;
        ready = false;
        if (bulk.isResumable()) {
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
                if (bulk.isResumable()) {
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
        } else if (!bulk.isResumable()) {
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
        bulk.rewind();
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
        bulk.sendSome();
    }

    private void dropThrough(EpochId epoch) {
        if (epoch.isAfter(lastAcknowledged)) {
            lastAcknowledged = epoch;
        }
        long mark = bulk.dropThrough(epoch);
        while (!mirrored.isEmpty() && mirrored.element().sequence() < mark) {
            mirrored.remove();
        }
    }

    // ---- what goes out

    /** Nothing follows a sign-off. */
    void send(byte[] frame) {
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

    // ---- what the engine and the guest's network ask

    @Override
    public void send(StagedCheckpoint checkpoint) {
        if (!over) {
            bulk.add(checkpoint);
        }
    }

    @Override
    public void sendPages(StagedPages chunk) {
        if (!over) {
            bulk.add(chunk);
        }
    }

    @Override
    public void mirrorInbound(long sequence, MemorySegment frames, long offset, int length) {
        byte[] copy = frames.asSlice(offset, length).toArray(JAVA_BYTE);
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
    public void handOver(long pausedNanos, String reason) {
        throw new UnsupportedOperationException("nobody switches over here");
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
        bulk.writes().add(epoch, disk, operation, offset, length, data, dataOffset);
        bulk.sendSome();
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
            bulk.writes().close();
        }
    }
}
