package remus.cli;

import java.util.Locale;
import remus.bench.GuestLoad;
import remus.qemu.MachineType;

/** What the guest of a migration campaign does all the time, beside Redis and the echo service. */
enum MigrationGuest {
    IDLE(1, 0),
    DIRTY_500(2, 500),
    DIRTY_2000(3, 2_000),
    /** Its migrations are told to send less than it writes, so that no round leaves less than the one before. */
    FASTER_THAN_LINK(4, 4_000);

    private final int number;
    private final int pages;

    MigrationGuest(int number, int pages) {
        this.number = number;
        this.pages = pages;
    }

    GuestLoad load() {
        return new GuestLoad(pages);
    }

    /** A VM for each, so that one that has ended is never taken for the next. */
    DemoVm vm() {
        return DemoVm.numbered(number);
    }

    /** The VM's definition in YAML. */
    String definition(DemoGuest image) throws Exception {
        String work = load().keysWithEcho().replace("remus.run=", "remus.run=redis,");
        return image.definition(vm(), MachineType.Q35, "256MiB", work);
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
