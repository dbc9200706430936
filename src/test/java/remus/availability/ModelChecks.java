package remus.availability;

import com.google.errorprone.annotations.FormatMethod;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** What must hold in a {@link ModelWorld} after each step, and once faults end. */
final class ModelChecks {
    private ModelChecks() {}

    static final class Violation extends AssertionError {
        private static final long serialVersionUID = 1L;

        Violation(String message) {
            super(message, null);
        }
    }

    @FormatMethod
    static void require(boolean holds, String format, @Nullable Object... values) {
        if (!holds) {
            throw new Violation(format.formatted(values));
        }
    }

    static void check(ModelWorld world) {
        int owners = 0;
        for (ModelHost host : world.hosts) {
            if (host.flows && host.guest) {
                owners++;
                require(
                        (world.released & ~host.contains) == 0,
                        "frames have left that the state of the VM that goes on does not contain");
            }
        }
        require(owners < 2, "two owners release");
        OwnershipRecord current = world.record;
        if (current == null) {
            return;
        }
        switch (current.phase()) {
            case ALONE -> {}
            case PROTECTED ->
                checkImage(
                        world,
                        Objects.requireNonNull(current.backup()),
                        current.term().value());
            case ACTIVATING -> checkImage(world, current.owner(), current.term().value() - 1);
        }
    }

    /** The image that may be or is being activated contains whatever has left. */
    private static void checkImage(ModelWorld world, HostId name, long session) {
        ModelHost host = world.hosts[ModelWorld.NAMES.indexOf(name)];
        if (host.up && host.imageSession == session && host.imageEpoch > 0) {
            int frames = host.guest ? host.contains : host.loading ? host.loadingFrames : host.imageFrames;
            require((world.released & ~frames) == 0, "frames have left that the image to activate does not contain");
        }
    }

    /** Whether something of the VM is left that has to come to run again once faults end. */
    static boolean hasDuty(ModelWorld world) {
        OwnershipRecord current = world.record;
        if (current == null) {
            return false;
        }
        ModelHost owner = host(world, current.owner());
        long term = current.term().value();
        return switch (current.phase()) {
            case ALONE -> owner.up && owner.intactGuest;
            case PROTECTED -> {
                ModelHost backup = host(world, Objects.requireNonNull(current.backup()));
                yield (owner.up && owner.intactGuest) || (backup.up && backup.intactImage == term);
            }
            case ACTIVATING -> {
                ModelHost former = host(world, Objects.requireNonNull(current.formerOwner()));
                yield (former.up && former.intactGuest)
                        || (owner.up && (owner.intactGuest || owner.intactImage == term - 1));
            }
        };
    }

    private static ModelHost host(ModelWorld world, HostId name) {
        return world.hosts[ModelWorld.NAMES.indexOf(name)];
    }

    /** Whether some host runs the VM and its frames leave, at once or by commits that can come. */
    static boolean isServed(ModelWorld world) {
        for (int index = 0; index < 2; index++) {
            ModelHost host = world.hosts[index];
            if (!host.isAwake() || !host.guestRuns || host.primary == null) {
                continue;
            }
            if (host.flows) {
                return true;
            }
            if (host.primary.role() instanceof PrimaryState.Protected
                    && !ModelMoves.hasReasonToSuspectBackup(world, index)) {
                return true;
            }
        }
        return false;
    }
}
