package remus.host;

import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import remus.api.DiskStatus;
import remus.api.OutputStatus;
import remus.base.EpochId;
import remus.base.Invariant;
import remus.qemu.VmDefinition;

/** A guest of which only that is known what is done to it. As with a real one, output that is held can't be held again. */
final class FakeGuest implements ActiveGuest {
    private final VmDefinition definition;

    @Nullable
    RuntimeException failure;

    boolean held;
    boolean discarded;
    boolean paused;
    boolean still;
    boolean gone;
    boolean ownsDisks;

    FakeGuest(VmDefinition definition) {
        this.definition = definition;
    }

    @Override
    public long clockLagMillis() {
        return 0;
    }

    @Override
    public String name() {
        return definition.name();
    }

    @Override
    public VmDefinition definition() {
        return definition;
    }

    @Override
    public void holdFrom(EpochId epoch) {
        RuntimeException cause = failure;
        if (cause != null) {
            throw cause;
        }
        Invariant.check(!held, "output is held already, epoch=%s", epoch);
        held = true;
    }

    @Override
    public boolean isHeld() {
        return held;
    }

    @Override
    public void discardOutput() {
        discarded = true;
    }

    @Override
    public void flowOnceDurable(BooleanSupplier stillRight) {
        if (stillRight.getAsBoolean()) {
            held = false;
        }
    }

    @Override
    public void ownDisks() {
        ownsDisks = true;
    }

    @Override
    public void stayPaused() {
        paused = true;
    }

    @Override
    public boolean staysPaused() {
        return paused;
    }

    @Override
    public void pause() {}

    @Override
    public void goOn() {
        paused = false;
    }

    @Override
    public void keepStill() {
        still = true;
    }

    @Override
    public void letGo() {
        still = false;
    }

    @Override
    public boolean isKeptStill() {
        return still;
    }

    @Override
    public boolean isPausing() {
        return false;
    }

    @Override
    public boolean isGone() {
        return gone;
    }

    @Override
    public boolean isEnding() {
        return false;
    }

    @Override
    public void kill() {
        gone = true;
    }

    @Override
    public void quit() {
        gone = true;
    }

    @Override
    public @Nullable Long qemuPid() {
        return null;
    }

    @Override
    public @Nullable String tapName() {
        return null;
    }

    @Override
    public OutputStatus outputStatus() {
        return OutputStatus.NONE;
    }

    @Override
    public List<DiskStatus> diskStatus() {
        return List.of();
    }
}
