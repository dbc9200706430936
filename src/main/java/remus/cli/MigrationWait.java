package remus.cli;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import remus.api.MigrationStage;
import remus.api.MigrationStatus;

/**
 * Waits until a migration has ended and shows how far it is; whatever ends the wait leaves the host going on, and says
 * how to look again. Limits: asks every {@link #POLL}, waits {@link #ANSWER_TIMEOUT} for an answer, gives up when nothing
 * has changed for a while. Used by one thread; Ctrl-C and SIGTERM are told by a shutdown hook, after which nothing else
 * is shown.
 */
final class MigrationWait {
    static final Duration STANDSTILL = Duration.ofMinutes(1);

    private static final Duration POLL = Duration.ofMillis(150);

    /** The host answers this at once. */
    private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(20);

    private final ApiClient client;
    private final Terminal terminal;
    private final String vm;
    private final String apiWords;
    private final Duration standstill;
    private final ProgressLine progress;
    private boolean interrupted;

    /** @param apiWords what has to be added to a command line so that it asks the same host */
    MigrationWait(ApiOption api, Terminal terminal, String vm, String apiWords) {
        this(api.client(ANSWER_TIMEOUT), terminal, vm, apiWords, STANDSTILL);
    }

    MigrationWait(ApiClient client, Terminal terminal, String vm, String apiWords, Duration standstill) {
        this.client = client;
        this.terminal = terminal;
        this.vm = vm;
        this.apiWords = apiWords;
        this.standstill = standstill;
        this.progress = new ProgressLine(terminal);
    }

    /** Where the migration of a VM is asked for. */
    static String path(String vm) {
        return VmPath.verb(vm, "migration");
    }

    /**
     * What shows whether anything happens.
     *
     * @param pages of the last round that are done with
     */
    private record Reached(
            MigrationStage stage,
            int rounds,
            long pages,
            long bytes,
            long diskBytes,
            @Nullable String reason) {
        static Reached of(MigrationStatus status) {
            long pages = status.rounds().isEmpty()
                    ? 0
                    : MigrationText.donePages(status.rounds().getLast());
            return new Reached(
                    status.stage(),
                    status.rounds().size(),
                    pages,
                    status.bytesSent(),
                    status.copiedDiskBytes(),
                    status.reason());
        }
    }

    /** Returns what has become of it, DONE or FAILED. */
    MigrationStatus untilEnd(MigrationStatus first) throws CommandException {
        Thread hook = new Thread(this::tellInterrupted, "migration-goes-on");
        Runtime.getRuntime().addShutdownHook(hook);
        try {
            return ended(first);
        } finally {
            progress.end();
            try {
                boolean _ = Runtime.getRuntime().removeShutdownHook(hook);
            } catch (IllegalStateException e) {
                // The virtual machine has begun to end meanwhile, and the hook has said what there is to say.
            }
        }
    }

    private MigrationStatus ended(MigrationStatus first) throws CommandException {
        MigrationStatus status = first;
        Reached last = Reached.of(first);
        long lastNanos = System.nanoTime();
        while (!MigrationText.isEnd(status.stage())) {
            show(MigrationText.progress(status));
            pause();
            status = ask();
            Reached now = Reached.of(status);
            if (!now.equals(last)) {
                last = now;
                lastNanos = System.nanoTime();
            } else if (System.nanoTime() - lastNanos > standstill.toNanos()) {
                throw new CommandException(
                        "the migration of VM '%s' has stood still for %d s (%s); see the log of both daemons; %s"
                                .formatted(vm, standstill.toSeconds(), MigrationText.progress(status), howToLook()));
            }
        }
        return status;
    }

    private MigrationStatus ask() throws CommandException {
        try {
            return client.get(path(vm), MigrationStatus.class);
        } catch (CommandException e) {
            throw new CommandException(
                    ("the migration of VM '%s' can't be seen any more, and may go on: %s; then %s, and 'remus status %s' on "
                                    + "both hosts where the VM runs")
                            .formatted(vm, e.getMessage(), howToLook(), vm),
                    e);
        }
    }

    private synchronized void show(String text) {
        if (!interrupted) {
            progress.show(text);
        }
    }

    /** What is said to whoever presses Ctrl-C. */
    synchronized void tellInterrupted() {
        interrupted = true;
        progress.end();
        terminal.err().println("remus: " + goesOn());
        terminal.err().flush();
    }

    private String goesOn() {
        return "the migration of VM '%s' goes on; %s".formatted(vm, howToLook());
    }

    private String howToLook() {
        return "'remus migrate %s --watch%s' shows it, 'remus migrate %s --cancel%s' ends it"
                .formatted(vm, apiWords, vm, apiWords);
    }

    private void pause() throws CommandException {
        try {
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandException("interrupted; " + goesOn(), e);
        }
    }
}
