package remus.cli;

import java.time.Duration;
import java.util.EnumSet;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import remus.api.DrainStage;
import remus.api.DrainStep;
import remus.api.Draining;
import remus.api.HostStatus;
import remus.api.VmRole;
import remus.api.VmState;
import remus.api.VmStatus;

/**
 * Waits until a VM is protected and shows how far it is. A backup that refuses is no failure while the host goes on to
 * try the next one, and neither is a host that is being drained, which hands the VM over as soon as it is protected.
 * Limits: asks every {@link #POLL}; gives up when nothing has changed for {@link #STANDSTILL}, which leaves the host
 * going on with it.
 */
final class ProtectionWait {
    private static final Duration POLL = Duration.ofMillis(150);
    private static final Duration STANDSTILL = Duration.ofMinutes(1);

    private final ApiClient client;
    private final ProgressLine progress;
    private final String vm;

    ProtectionWait(ApiClient client, Terminal terminal, String vm) {
        this.client = client;
        this.progress = new ProgressLine(terminal);
        this.vm = vm;
    }

    /** Returns what has become of it. */
    String untilProtected() throws CommandException {
        @Nullable String lastShown = null;
        long lastChange = System.nanoTime();
        while (true) {
            VmStatus status = client.get(VmPath.of(vm), VmStatus.class);
            switch (status.state()) {
                case PROTECTED -> {
                    progress.end();
                    return StatusText.sentence(status);
                }
                case SYNCHRONIZING -> {}
                case UNPROTECTED, DEGRADED -> {
                    if (!status.looksForBackup()) {
                        throw failed(status);
                    }
                }
                case FENCED -> {
                    DrainStep left = stepAway();
                    if (left == null) {
                        throw failed(status);
                    }
                    progress.end();
                    return "VM %s was protected, and is given away by this host, which is being drained: %s"
                            .formatted(vm, left.text());
                }
                case STANDBY, ACTIVATING, STOPPED -> throw failed(status);
            }
            String shown = "%s: %s: %s"
                    .formatted(
                            vm,
                            status.state() == VmState.SYNCHRONIZING ? "synchronizing" : "not protected yet",
                            Objects.requireNonNullElse(status.reason(), "…"));
            if (!shown.equals(lastShown)) {
                lastChange = System.nanoTime();
                lastShown = shown;
            }
            progress.show(shown);
            if (System.nanoTime() - lastChange > STANDSTILL.toNanos()) {
                throw stoodStill();
            }
            pause();
        }
    }

    /** Its way from a host that is being drained; null: it has not been handed over for that. */
    private @Nullable DrainStep stepAway() throws CommandException {
        Draining draining = client.get("/api/v1/status", HostStatus.class).draining();
        return draining == null
                ? null
                : draining.vms().stream()
                        .filter(step -> step.vm().equals(vm) && step.role() == VmRole.PRIMARY)
                        .filter(step -> EnumSet.of(DrainStage.MOVING, DrainStage.LEFT, DrainStage.GONE)
                                .contains(step.stage()))
                        .findFirst()
                        .orElse(null);
    }

    private CommandException failed(VmStatus status) {
        progress.end();
        VmState state = status.state();
        return new CommandException("VM '%s' could not be protected, it is %s: %s; mend that and try again"
                .formatted(vm, state, Objects.requireNonNullElse(status.reason(), "see 'remus events'")));
    }

    private CommandException stoodStill() {
        progress.end();
        return new CommandException(
                "VM '%s' has been synchronizing without any progress for %d s; see 'remus status %s' and the backup's log"
                        .formatted(vm, STANDSTILL.toSeconds(), vm));
    }

    private void pause() throws CommandException {
        try {
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandException("interrupted; the host goes on protecting VM '%s'".formatted(vm), e);
        }
    }
}
