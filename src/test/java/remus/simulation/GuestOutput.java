package remus.simulation;

import java.lang.foreign.MemorySegment;
import remus.availability.OwnershipRecord;
import remus.availability.PrimaryState;
import remus.base.EpochId;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.OutputBuffer;
import remus.checkpoint.StagedCheckpoint;

/**
 * A guest's output between its NIC and the TAP: the real buffer, and how far the ownership lets commits release. Each frame
 * that leaves is checked here.
 */
final class GuestOutput implements AutoCloseable {
    static final int CAPACITY_BYTES = 200_000;

    private final PrimarySide side;
    private final Daemon daemon;
    private final World world;
    private final OutputBuffer buffer = new OutputBuffer(CAPACITY_BYTES);
    private EpochId allowed = EpochId.NONE;

    GuestOutput(PrimarySide side) {
        this.side = side;
        daemon = side.daemon();
        world = daemon.world();
    }

    // ---- what the ownership wants

    void hold() {
        Protection session = side.session();
        if (buffer.rule() == OutputBuffer.Rule.FLOW) {
            buffer.hold(session == null ? EpochId.NONE.next() : session.epoch());
        }
    }

    /** Commits up to that epoch may release. */
    void allow(EpochId upTo) {
        if (upTo.isAfter(allowed)) {
            allowed = upTo;
            Protection session = side.session();
            if (session != null) {
                session.retryCommit();
            }
        }
    }

    /** A session begins: its epochs are others. */
    void forbid() {
        allowed = EpochId.NONE;
    }

    void discard() {
        move();
        buffer.discard();
    }

    boolean holdsOfOpenEpoch() {
        return buffer.holdsOfOpenEpoch();
    }

    // ---- frames

    /** Empties the NIC's socket: frames leave or are held. */
    void move() {
        for (Packet packet = side.guest().output();
                packet != null;
                packet = side.guest().output()) {
            if (buffer.rule() == OutputBuffer.Rule.FLOW) {
                flows(packet);
            } else {
                byte[] bytes = packet.bytes();
                buffer.offer(MemorySegment.ofArray(bytes), 0, bytes.length);
            }
        }
    }

    private void flows(Packet packet) {
        OwnershipRecord record = world.arbiter().record();
        Violation.unless(
                record != null && record.isOwnedBy(daemon.name()) && record.phase() == OwnershipRecord.Phase.ALONE,
                Rule.R2,
                "frame %d flows from %s, and the record says: %s",
                packet.number(),
                daemon.name(),
                record);
        leaves(packet);
    }

    private void leaves(Packet packet) {
        world.history().left(daemon.name().name(), packet.number());
        daemon.machine().output(packet);
    }

    boolean mayRelease(Protection by, EpochId epoch) {
        return by == side.session() && !epoch.isAfter(allowed);
    }

    /** The output up to {@code epoch} leaves by a commit. */
    void release(Protection by, EpochId epoch) {
        buffer.release(epoch, (memory, offset, length) -> {
            Packet packet = Packet.of(memory, offset, length);
            Violation.unless(
                    world.seals().wasWhole(by.term(), epoch),
                    Rule.R2,
                    "frame %d leaves %s by the commit of epoch %s of session %s, which was never whole",
                    packet.number(),
                    daemon.name(),
                    epoch,
                    by.term());
            Violation.unless(
                    world.arbiter().hasProtected(by.term()),
                    Rule.R2,
                    "frame %d leaves %s by a commit of session %s, which the record never named",
                    packet.number(),
                    daemon.name(),
                    by.term());
            checkGuarded();
            Seal seal = world.seals().find(by.term(), epoch);
            Violation.unless(
                    seal == null || world.history().contains(seal.lastFrame(), packet.number()),
                    Rule.R2,
                    "frame %d leaves by the commit of epoch %s, in which it was not sent",
                    packet.number(),
                    epoch);
            leaves(packet);
        });
    }

    /** Who takes its VM for protected must be right: somebody could take it over. */
    private void checkGuarded() {
        OwnershipRecord record = world.arbiter().record();
        if (side.role() instanceof PrimaryState.Protected running
                && record != null
                && record.isOwnedBy(daemon.name())) {
            Violation.unless(
                    record.equals(running.record()),
                    Rule.GUARD,
                    "%s takes itself for protected by the record of %s, which is: %s",
                    daemon.name(),
                    running.record(),
                    record);
        }
    }

    /** Frames that the former primary may or may not have sent leave, then all that is held, then all that comes. */
    void flow(Iterable<Packet> again) {
        world.checkTakesOver(daemon, side.guest());
        again.forEach(this::flows);
        buffer.flow((memory, offset, length) -> flows(Packet.of(memory, offset, length)));
        daemon.note("output flows");
    }

    void seal(StagedCheckpoint checkpoint) throws CheckpointException {
        buffer.seal(checkpoint);
    }

    @Override
    public void close() {
        buffer.close();
    }
}
