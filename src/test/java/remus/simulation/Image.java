package remus.simulation;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import remus.base.EpochId;
import remus.base.Term;
import remus.checkpoint.ArrayDisks;
import remus.checkpoint.ArrayMemory;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.CheckpointReceiver;
import remus.checkpoint.InboundMirror;

/**
 * What a backup has of a VM under one session: the standby's memory, the disks' images, and the real receiver that fills
 * them. Checks that what it calls whole is what was sealed.
 */
final class Image {
    private static final long INBOUND_BYTES = 200_000;

    private final Daemon daemon;
    private final Term term;
    private final ArrayMemory memory = new ArrayMemory(Guest.PAGES, Guest.PAGE_BYTES);
    private final ArrayDisks disks;
    private final InboundMirror inbound = new InboundMirror(INBOUND_BYTES);
    private final CheckpointReceiver receiver;
    private final List<byte[]> replay = new ArrayList<>();
    private final List<Packet> again = new ArrayList<>();
    private EpochId checked = EpochId.NONE;
    private long firstInput = Long.MAX_VALUE;
    private long nextInput;
    private boolean applyFailed;
    private boolean used;
    private boolean drained;

    Image(Daemon daemon, Term term, CheckpointReceiver.Listener listener) {
        this.daemon = daemon;
        this.term = term;
        disks = new ArrayDisks(daemon.machine().images());
        receiver = new CheckpointReceiver(
                memory,
                daemon.world().sabotage().backupDisks(disks),
                Guest.PAGE_BYTES,
                GuestOutput.CAPACITY_BYTES,
                inbound,
                listener);
    }

    Term term() {
        return term;
    }

    CheckpointReceiver receiver() {
        return receiver;
    }

    ArrayDisks disks() {
        return disks;
    }

    EpochId lastWhole() {
        return receiver.lastWhole();
    }

    /** One of the next writes to memory fails. */
    void failSoon(int writes) {
        memory.failAfter(writes);
    }

    /** Applying has failed and is tried again later: memory is not that of the last whole checkpoint meanwhile. */
    void noteApplyFailed() {
        applyFailed = true;
    }

    /** A mirrored frame has come. */
    void noteInput(long sequence) {
        if (sequence >= nextInput) {
            firstInput = Math.min(firstInput, sequence);
            nextInput = sequence + 1;
        }
    }

    /** To be called whenever something has changed. */
    void check() {
        EpochId whole = receiver.lastWhole();
        if (used || whole.equals(EpochId.NONE)) {
            return;
        }
        Seal seal = daemon.world().seals().find(term, whole);
        Violation.unless(seal != null, Rule.R3, "epoch %s of session %s is whole, and was never sealed", whole, term);
        if (seal == null) {
            return;
        }
        if (whole.isAfter(checked)) {
            byte[] state = receiver.deviceState()
                    .segment()
                    .asSlice(0, receiver.deviceState().size())
                    .toArray(JAVA_BYTE);
            Violation.unless(
                    Arrays.equals(seal.deviceState(), state), Rule.R3, "the device state is not of epoch %s", whole);
            if (!applyFailed) {
                int at = Arrays.mismatch(seal.memory(), memory.bytes());
                Violation.unless(
                        at < 0,
                        Rule.R3,
                        "page %d of %s's standby is not as epoch %s of session %s left it",
                        at / Guest.PAGE_BYTES,
                        daemon.name(),
                        whole,
                        term);
                checked = whole;
            }
            daemon.world().seals().noteWhole(term, whole);
            daemon.machine().noteImage(term.value());
        }
        byte[][] applied = disks.asOfLastWhole();
        for (int disk = 0; disk < Guest.DISKS; disk++) {
            Violation.unless(
                    Arrays.equals(seal.disks()[disk], applied[disk]),
                    Rule.DISK,
                    "disk %d on %s is not as epoch %s of session %s left it",
                    disk,
                    daemon.name(),
                    whole,
                    term);
        }
    }

    void noteApplied() {
        applyFailed = false;
    }

    /** Whether it is still what was received: a standby that ran has changed memory and disks. */
    boolean isLoadable() {
        return !used;
    }

    /** A standby with the last whole checkpoint, standing still. */
    Guest load() throws CheckpointException {
        receiver.finishApplying();
        noteApplied();
        EpochId whole = receiver.lastWhole();
        Seal seal = daemon.world().seals().find(term, whole);
        Violation.unless(
                seal != null
                        && daemon.world().seals().wasWhole(term, whole)
                        && Arrays.equals(seal.memory(), memory.bytes())
                        && Arrays.deepEquals(seal.disks(), daemon.machine().images()),
                Rule.WHOLE,
                "%s activates epoch %s of session %s, which is not as it was sealed",
                daemon.name(),
                whole,
                term);
        if (!drained && seal != null) {
            drained = true;
            drainInput(seal);
            receiver.drainHeldOutput((from, offset, length) -> again.add(Packet.of(from, offset, length)));
        }
        return daemon.world().newGuest(memory.bytes(), daemon.machine().images());
    }

    private void drainInput(Seal seal) {
        inbound.drain((from, offset, length) ->
                replay.add(from.asSlice(offset, length).toArray(JAVA_BYTE)));
        long expected = nextInput - Math.max(seal.firstInput(), firstInput);
        Violation.unless(
                replay.size() >= expected,
                Rule.INBOUND,
                "%s has frames %d to %d, its state contains those before %d, and it replays %d",
                daemon.name(),
                firstInput,
                nextInput - 1,
                seal.firstInput(),
                replay.size());
    }

    /** The standby runs from now on. */
    void runs() {
        used = true;
    }

    List<byte[]> replay() {
        return replay;
    }

    List<Packet> again() {
        return again;
    }

    void close() {
        receiver.close();
    }
}
