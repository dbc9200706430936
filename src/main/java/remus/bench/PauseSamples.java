package remus.bench;

import remus.qemu.VmDefinition;

/** Collects the measured times of one case, in nanoseconds. Confined to the agent's thread. */
final class PauseSamples {
    final Samples pause = new Samples();
    final Samples ahead = new Samples();
    final Samples again = new Samples();
    final Samples stop = new Samples();
    final Samples save = new Samples();
    final Samples find = new Samples();
    final Samples copy = new Samples();
    final Samples read = new Samples();
    final Samples late = new Samples();
    final Samples cont = new Samples();
    final Samples pages = new Samples();
    final Samples stateBytes = new Samples();
    final Samples floor = new Samples();
    final Samples floorStop = new Samples();
    final Samples floorSave = new Samples();
    final Samples floorCont = new Samples();

    PauseCase summary(VmDefinition vm, int dirtyPages) {
        double ratio = floor.percentile(50) == 0 ? 0 : (double) pause.percentile(50) / floor.percentile(50);
        return new PauseCase(
                vm.machine().key(),
                vm.memory().bytes(),
                dirtyPages,
                pages.percentile(50),
                pause.micros(50),
                floor.micros(50),
                Math.rint(ratio * 1_000) / 1_000,
                pause.micros(0),
                pause.micros(99),
                pause.micros(100),
                floor.micros(0),
                floor.micros(99),
                floor.micros(100),
                pause.count(),
                floor.count(),
                stateBytes.percentile(50),
                ahead.micros(50),
                again.percentile(50),
                stop.micros(50),
                save.micros(50),
                find.micros(50),
                copy.micros(50),
                read.micros(50),
                late.micros(50),
                cont.micros(50),
                floorStop.micros(50),
                floorSave.micros(50),
                floorCont.micros(50));
    }
}
