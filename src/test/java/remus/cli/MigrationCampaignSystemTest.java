package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.Json;

/**
 * VMs move among three hosts again and again, in all ways that there are, under two clients each: guests that write nothing,
 * some, much, and more than the link can carry. What must hold each time is in {@link MigrationCampaignVm}.
 * {@code ./build campaign migration --rounds N --seed S} runs it longer; its document is {@code target/migration-campaign.json}.
 */
@Tag("system")
@Tag("long")
@Timeout(value = 6, unit = TimeUnit.HOURS)
class MigrationCampaignSystemTest {
    private static final int ROUNDS = Integer.getInteger("remus.campaign.rounds", 4);
    private static final long SEED = Long.getLong("remus.campaign.seed", 1);
    private static final Path DOCUMENT = Path.of("target", "migration-campaign.json");

    /** Receives what hosts and QEMUs wrote when a round has failed. */
    private static final Path KEPT = Path.of("target", "migration-campaign");

    @TempDir
    private Path directory;

    private final List<MigrationCampaignReport.Hop> hops = new ArrayList<>();
    private @Nullable MigrationCampaignVm vm;

    @Test
    void aVmRunsInOnePlaceWithAllItsMemoryAndItsClientsOverManyMigrations() throws Exception {
        List<DrawnMigration> drawn = DrawnMigration.draw(ROUNDS, new Random(SEED));
        try (MigrationCampaignHosts campaign = MigrationCampaignHosts.open(directory)) {
            for (DrawnMigration next : drawn) {
                String round = "round %d of %d, seed %d, %s".formatted(hops.size() + 1, ROUNDS, SEED, next);
                try {
                    hops.add(vmOf(next.guest(), campaign).migrate(next, SEED + hops.size()));
                } catch (Exception | AssertionError e) {
                    tell(campaign, round, e);
                    throw e;
                }
                System.err.printf("%s: %s%n", round, hops.getLast().text());
            }
            end();
        }
        MigrationCampaignReport report = write(null);
        assertEquals(ROUNDS, report.migrations() + report.aborted());
    }

    /** The guest that is there, or a new one in its place. */
    private MigrationCampaignVm vmOf(MigrationGuest guest, MigrationCampaignHosts campaign) throws Exception {
        MigrationCampaignVm present = vm;
        if (present != null && present.guest() == guest) {
            return present;
        }
        end();
        MigrationCampaignVm next = MigrationCampaignVm.boot(campaign, guest, campaign.hosts.alpha);
        vm = next;
        return next;
    }

    private void end() throws Exception {
        MigrationCampaignVm present = vm;
        if (present != null) {
            vm = null;
            present.end();
        }
    }

    /** For whoever has to find out; what can't be told is no reason to tell less of the failure itself. */
    private void tell(MigrationCampaignHosts campaign, String round, Throwable failure) {
        MigrationCampaignVm present = vm;
        System.err.printf("%s: FAILED: %s%s%n", round, failure.getMessage(), present == null ? "" : present.story());
        try {
            write(round + ": " + failure.getMessage());
            SoakStory story = new SoakStory();
            story.read(campaign.hosts.hosts(), round, Set.of());
            story.keep(KEPT, campaign.hosts.hosts());
            System.err.printf("%s%n(all of it, and the logs of daemons and QEMUs, are in %s)%n", story.last(), KEPT);
            if (present != null) {
                present.close();
            }
        } catch (IOException e) {
            failure.addSuppressed(e);
        }
    }

    private MigrationCampaignReport write(@Nullable String problem) throws IOException {
        MigrationCampaignReport report = MigrationCampaignReport.of(ROUNDS, SEED, hops, problem);
        Files.writeString(DOCUMENT, Json.write(report) + "\n");
        System.err.println(report.text());
        return report;
    }
}
