package remus.cli;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine;
import picocli.CommandLine.Option;
import remus.api.DrainStage;
import remus.api.DrainStep;
import remus.api.Draining;
import remus.api.HostStatus;
import remus.api.Json;
import remus.api.VmRole;

@CommandLine.Command(
        name = "drain",
        header = "Empty a host before its maintenance: hand its VMs over, take no new ones.",
        description = {
            "",
            "VMs that run on the host are handed over to their backups as by 'remus switchover', two at a time. "
                    + "Primaries of VMs that it backs up are asked to let them go, and protect them by another host "
                    + "of their candidates; one that has no other goes on alone until this host is back. New VMs and "
                    + "new backups are refused until the daemon is started again or --undo is given.",
            "",
            "Shows each step, and whether VMs that have gone are protected there: where they name a third host that is "
                    + "waited for, up to 15 s each. Ends with 0 only when no VM runs there and none is backed up there. "
                    + "VMs that stay, such as unprotected ones, are listed with what to do; then give the command again. "
                    + "Interrupting it leaves the host going on.",
            ""
        },
        footer = {"", "Example:", "  remus drain", "  remus drain --undo"})
final class DrainCommand extends Command.OfApi {
    private static final String PATH = "/api/v1/drain";
    private static final Duration POLL = Duration.ofMillis(250);

    @Option(names = "--undo", description = "Let the host take VMs again.")
    private boolean undo;

    @Option(
            names = "--json",
            description = "Print one JSON document: what became of each VM; with --undo the host's status.")
    private boolean json;

    private final Map<String, DrainStep> shown = new HashMap<>();

    DrainCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    void run() throws CommandException {
        if (undo) {
            HostStatus host = client().delete(PATH, HostStatus.class);
            print(json ? Json.write(host) : "Host %s takes VMs again".formatted(host.host()));
            return;
        }
        HostStatus host = client().post(PATH, HostStatus.class);
        Draining last = untilDone(host);
        List<DrainStep> staying = last.vms().stream()
                .filter(step -> step.stage() == DrainStage.STAYS)
                .toList();
        if (json) {
            print(Json.write(last));
        } else if (staying.isEmpty()) {
            print("Host %s runs no VM and is nobody's backup: %s".formatted(host.host(), summary(last)));
        } else {
            staying.forEach(step -> print("VM %s stays: %s".formatted(step.vm(), step.text())));
        }
        if (!staying.isEmpty()) {
            throw new CommandException(
                    "drain: host %s is not empty, %s; do what is said of each, and give the command again"
                            .formatted(host.host(), count(staying.size(), "stays", "stay")));
        }
    }

    private static String summary(Draining last) {
        long handedOver = last.vms().stream()
                .filter(step -> step.role() == VmRole.PRIMARY)
                .count();
        return "%s handed over, %s let go"
                .formatted(count(handedOver, "", ""), last.vms().size() - handedOver);
    }

    private static String count(long vms, String verbOfOne, String verbOfMany) {
        return (vms == 1 ? "1 VM " + verbOfOne : vms + " VMs " + verbOfMany).strip();
    }

    private Draining untilDone(HostStatus first) throws CommandException {
        HostStatus host = first;
        while (true) {
            Draining draining = host.draining();
            if (draining == null) {
                throw new CommandException(
                        "drain: host %s was told meanwhile to take VMs again; give the command again if it is not to"
                                .formatted(host.host()));
            }
            draining.vms().forEach(this::show);
            if (draining.done()) {
                return draining;
            }
            pause(host.host());
            host = client().get("/api/v1/status", HostStatus.class);
        }
    }

    /** What is news of a VM. */
    private void show(DrainStep step) {
        if (!step.equals(shown.put(step.vm(), step))) {
            terminal().err().printf("%s: %s %s%n", step.vm(), step.stage(), step.text());
            terminal().err().flush();
        }
    }

    private static void pause(String host) throws CommandException {
        try {
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandException("interrupted; host %s goes on being drained".formatted(host), e);
        }
    }
}
