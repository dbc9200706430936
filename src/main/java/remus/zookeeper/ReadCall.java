package remus.zookeeper;

import java.util.function.Consumer;
import remus.availability.Arbiter.ReadOutcome;
import remus.availability.OwnershipRecord;

/** Reads a record, and has it confirmed, see {@link RecordCall}. */
final class ReadCall extends RecordCall<ReadOutcome> {
    ReadCall(Setting setting, Place place, Consumer<? super ReadOutcome> receiver) {
        super(setting, place, receiver);
    }

    @Override
    void found(OwnershipRecord record, int version) {
        confirm(version, () -> answer(new ReadOutcome.Found(record)));
    }

    @Override
    void absent() {
        confirmAbsent(() -> answer(new ReadOutcome.Absent()));
    }

    @Override
    ReadOutcome undecided(String cause) {
        return new ReadOutcome.Unavailable(cause);
    }
}
