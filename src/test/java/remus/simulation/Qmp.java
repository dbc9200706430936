package remus.simulation;

import remus.checkpoint.GuestControl;

/** Stops, saves and continues a {@link Guest}, with the time that QEMU takes for it; QEMU's answers go to the session. */
final class Qmp implements GuestControl {
    private final PrimarySide side;
    private final Daemon daemon;
    private final Guest guest;
    private final Scheduler scheduler;
    private boolean staysPaused;
    private boolean busy;
    private boolean pausing;

    Qmp(PrimarySide side) {
        this.side = side;
        daemon = side.daemon();
        guest = side.guest();
        scheduler = daemon.world().scheduler();
    }

    @Override
    public void suspendAndSave() {
        busy = true;
        pausing = true;
        scheduler.after(scheduler.span(200 * Scheduler.MICROSECOND, Scheduler.MILLISECOND), () -> {
            if (guest.isDead() || guest.isHung()) {
                return;
            }
            guest.stop();
            daemon.post(() -> {
                Protection session = side.session();
                if (session != null) {
                    session.suspended();
                }
            });
            scheduler.after(scheduler.span(300 * Scheduler.MICROSECOND, 2 * Scheduler.MILLISECOND), () -> {
                if (!guest.isDead() && !guest.isHung()) {
                    guest.dirtySomething();
                    daemon.post(this::saved);
                }
            });
        });
    }

    private void saved() {
        Protection session = side.session();
        if (session != null) {
            session.saved();
        } else {
            resume();
        }
    }

    @Override
    public void resume() {
        busy = false;
        scheduler.after(scheduler.span(50 * Scheduler.MICROSECOND, 400 * Scheduler.MICROSECOND), () -> {
            if (staysPaused || guest.isDead() || guest.isHung() || !daemon.isAlive()) {
                pausing = false;
                return;
            }
            guest.run();
            daemon.post(() -> {
                pausing = false;
                Protection session = side.session();
                if (session != null) {
                    session.resumed();
                }
            });
        });
    }

    /** Whether a pause that a session began has not ended yet. */
    boolean isPausing() {
        return pausing;
    }

    void pause(boolean stays) {
        staysPaused = stays;
        if (busy) {
            return;
        }
        scheduler.after(scheduler.span(50 * Scheduler.MICROSECOND, 400 * Scheduler.MICROSECOND), () -> {
            if (staysPaused == stays && !busy && !guest.isDead()) {
                if (stays) {
                    guest.stop();
                } else {
                    guest.run();
                }
            }
        });
    }
}
