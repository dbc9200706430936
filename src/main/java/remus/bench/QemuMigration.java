package remus.bench;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import remus.base.RemusException;
import remus.base.Time;
import remus.linux.BootTime;
import remus.linux.Poller;
import remus.qemu.QmpClient;
import remus.qemu.QmpException;
import tools.jackson.databind.JsonNode;

/**
 * One live migration of QEMU's own between two of its processes on this machine, by a UNIX socket and as fast as it can.
 * When it is over the guest stands still at the destination, so that both memories can be compared, until
 * {@link #letRun}.
 *
 * <p>Total time and downtime are those of {@code query-migrate}, in whole milliseconds ({@code migration.c} of QEMU 7.2):
 * the total from {@code migrate} until the source has sent all, the downtime from before it stops the guest until the
 * same moment. What the destination takes after that is in neither; so the time between the source's event {@code STOP}
 * and the destination's event that it is complete is told beside them, as they arrive here.
 *
 * <p>Confined to one thread; used once.
 */
public final class QemuMigration {
    /** Bytes per second that no socket reaches: QEMU's default of 128 MiB/s would be what is measured. */
    private static final long MAX_BANDWIDTH = 1L << 40;

    private static final long LOOK_EVERY_NANOS = 100_000_000;

    private final PlainVm source;
    private final PlainVm destination;
    private final StopSignal stop;
    private final Time time = new BootTime();
    private final Side left = new Side();
    private final Side arrived = new Side();

    /** @param destination waits for it: {@link PlainVm#await} */
    public QemuMigration(PlainVm source, PlainVm destination, StopSignal stop) {
        this.source = source;
        this.destination = destination;
        this.stop = stop;
    }

    /** What one of the two says. */
    private final class Side implements QmpClient.Handler {
        private String status = "none";
        private long stoppedAtNanos;
        private long endedAtNanos;

        boolean hasEnded() {
            return endedAtNanos != 0;
        }

        @Override
        public void returned(long id, JsonNode value) {
            // Commands wait for their answers themselves.
        }

        @Override
        public void refused(long id, String errorClass, String description) {
            // The same.
        }

        @Override
        public void event(String name, JsonNode data) {
            switch (name) {
                case "STOP" -> stoppedAtNanos = time.nanos();
                case "MIGRATION" -> {
                    status = data.path("status").asString("");
                    if (List.of("completed", "failed", "cancelled").contains(status)) {
                        endedAtNanos = time.nanos();
                    }
                }
                default -> {}
            }
        }
    }

    /**
     * Migrates, and compares the memories when it is complete.
     *
     * @param patience after which it is given up, and the guest runs on at the source
     * @return what came of it but for whether the guest runs on
     */
    public MigrationTrial run(Duration downtimeLimit, Duration patience) throws BenchException {
        try {
            for (PlainVm side : List.of(source, destination)) {
                execute(
                        side,
                        "migrate-set-capabilities",
                        Map.of("capabilities", List.of(Map.of("capability", "events", "state", true))));
            }
            String uri = "unix:" + destination.paths().incomingSocket();
            execute(destination, "migrate-incoming", Map.of("uri", uri));
            execute(
                    source,
                    "migrate-set-parameters",
                    Map.of("max-bandwidth", MAX_BANDWIDTH, "downtime-limit", downtimeLimit.toMillis()));
            execute(source, "migrate", Map.of("uri", uri));
            if (!awaitEnd(patience)) {
                execute(source, "migrate_cancel", Map.of());
                return MigrationTrial.unfinished("not complete within %d s".formatted(patience.toSeconds()));
            }
            if (!left.status.equals("completed") || !arrived.status.equals("completed")) {
                return MigrationTrial.unfinished(
                        "source %s, destination %s%s".formatted(left.status, arrived.status, explanation()));
            }
            long lost = RamPages.differing(
                    source.paths().ramFile(), destination.paths().ramFile());
            return new MigrationTrial(figures(), null, lost, null);
        } catch (IOException e) {
            throw new BenchException("the guests' memories can't be compared: " + e.getMessage(), e);
        } catch (BenchException e) {
            throw e;
        } catch (QmpException e) {
            // A QEMU that can't load what it gets ends.
            return MigrationTrial.unfinished(
                    source.lastWords().or(destination::lastWords).orElse(String.valueOf(e.getMessage())));
        } catch (RemusException e) {
            throw BenchException.because("QEMU's migration can't be measured", e);
        }
    }

    /** The guest, which stands still at the destination, runs from now on. */
    public void letRun() throws BenchException {
        try {
            execute(destination, "cont", Map.of());
        } catch (QmpException e) {
            throw BenchException.because("the guest can't be continued", e);
        }
    }

    private static JsonNode execute(PlainVm side, String command, Map<String, ?> arguments) throws QmpException {
        return side.process().qmp().execute(command, arguments, BenchVm.LIMITS.reply());
    }

    /** True when the source has ended, and the destination where that has all. */
    private boolean awaitEnd(Duration patience) throws RemusException {
        QmpClient from = source.process().qmp();
        QmpClient to = destination.process().qmp();
        long deadline = time.nanos() + patience.toNanos();
        try (Poller poller = new Poller(2)) {
            while (true) {
                stop.check();
                from.poll(left);
                to.poll(arrived);
                if (left.hasEnded() && (arrived.hasEnded() || !left.status.equals("completed"))) {
                    return true;
                }
                long remaining = deadline - time.nanos();
                if (remaining <= 0) {
                    return false;
                }
                poller.enable(0, from.descriptor(), true, from.hasUnsent());
                poller.enable(1, to.descriptor(), true, to.hasUnsent());
                poller.await(Math.min(remaining, LOOK_EVERY_NANOS));
            }
        }
    }

    private String explanation() throws QmpException {
        String why =
                execute(source, "query-migrate", Map.of()).path("error-desc").asString("");
        return why.isEmpty() ? "" : ": " + why;
    }

    private MigrationTrial.Figures figures() throws QmpException {
        JsonNode told = execute(source, "query-migrate", Map.of());
        JsonNode ram = told.path("ram");
        @Nullable
        Double standstill =
                left.stoppedAtNanos == 0 ? null : Double.valueOf((arrived.endedAtNanos - left.stoppedAtNanos) / 1e6);
        return new MigrationTrial.Figures(
                told.path("total-time").asLong(),
                told.path("downtime").asLong(),
                standstill,
                null,
                ram.path("transferred").asLong(),
                ram.path("dirty-sync-count").asLong());
    }
}
