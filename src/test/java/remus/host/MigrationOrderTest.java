package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import remus.api.Json;
import remus.api.MigrateRequest;
import remus.base.ByteSize;
import remus.host.OperationException.Kind;
import remus.migration.MigrationPlan;
import remus.migration.MigrationPlan.Mode;
import remus.migration.MigrationPlan.Unconverged;
import remus.migration.RateLimit;
import remus.migration.StopSettings;

class MigrationOrderTest {
    /** A request as it comes, with {@code keys} besides the destination. */
    private static MigrateRequest request(String keys) {
        return Json.read("{\"to\":\"beta\"" + keys + "}", MigrateRequest.class);
    }

    private static String refusal(MigrateRequest request) {
        OperationException refused =
                assertThrows(OperationException.class, () -> MigrationOrder.plan(request), request.toString());
        assertEquals(Kind.REFUSED, refused.kind());
        return String.valueOf(refused.getMessage());
    }

    @Test
    void whoNamesOnlyTheDestinationGetsTheDefaults() throws Exception {
        assertEquals(MigrationPlan.DEFAULTS, MigrationOrder.plan(request("")));
    }

    @Test
    void eachValueGivenIsTaken() throws Exception {
        assertEquals(
                new MigrationPlan(
                        Mode.PRE_COPY,
                        new StopSettings(Duration.ofMillis(50), 10, 4, 3, false, ByteSize.ofMebibytes(4096)),
                        Unconverged.ABORT,
                        new RateLimit(ByteSize.ofMebibytes(10), ByteSize.ofMebibytes(100), ByteSize.ofMebibytes(5)),
                        true,
                        true),
                MigrationOrder.plan(request("""
                        ,"mode":"pre-copy","maxDowntime":"50ms","maxRounds":10,"settledRounds":4,\
                        "settledTolerancePercent":3,"untilClean":false,"maxData":"4GiB","whenUnconverged":"abort",\
                        "minRate":"10MiB","maxRate":"100MiB","rateStep":"5MiB","sharedDisks":true,"verify":true""")));
    }

    @Test
    void conditionsCanBeSwitchedOff() throws Exception {
        assertEquals(
                new StopSettings(Duration.ZERO, 30, 0, 5, false, new ByteSize(0)),
                MigrationOrder.plan(request(
                                ",\"maxDowntime\":\"0ms\",\"settledRounds\":0,\"untilClean\":false,\"maxData\":\"0B\""))
                        .stop());
    }

    @Test
    void aGuestToBeSlowedDownOrLeftAloneIsNotSuspendedForBeingSettledUnlessThatIsSaid() throws Exception {
        for (String policy : List.of("auto-converge", "abort")) {
            String when = ",\"whenUnconverged\":\"" + policy + "\"";
            assertEquals(0, MigrationOrder.plan(request(when)).stop().settledRounds());
            assertEquals(
                    3,
                    MigrationOrder.plan(request(when + ",\"settledRounds\":3"))
                            .stop()
                            .settledRounds());
            assertEquals(
                    5,
                    MigrationOrder.plan(request(when + ",\"settledTolerancePercent\":1"))
                            .stop()
                            .settledRounds());
        }
    }

    @Test
    void allWrongValuesAreNamedAtOnce() {
        String message = refusal(request("""
                ,"maxDowntime":"30","maxRounds":0,"settledRounds":1,"settledTolerancePercent":80,"maxData":"4KiB",\
                "minRate":"fast","maxRate":"1B","rateStep":"0B\""""));
        assertTrue(message.startsWith("migrate: maxDowntime: '30' is not a duration"), message);
        for (String problem : List.of(
                "; maxRounds: 0 is not from 1 to 1000",
                "; settledRounds: 1 is not from 2 to 1000 (0: off)",
                "; settledTolerancePercent: 80 is not from 0 to 50",
                "; maxData: 4 KiB is less than 1 MiB (0B: no limit)",
                "; minRate: 'fast' is not a size",
                "; maxRate: 1 B is not from 1 MiB to 1 TiB (0B: no limit)",
                "; rateStep: 0 B is not from 1 MiB to 1 TiB")) {
            assertTrue(message.contains(problem), message);
        }
        assertTrue(
                refusal(request(",\"maxDowntime\":\"2min\"")).contains("maxDowntime: 120s is not from 1ms to 60s"),
                refusal(request(",\"maxDowntime\":\"2min\"")));
    }

    @Test
    void valuesThatDoNotGoTogetherAreRefused() {
        assertEquals(
                "migrate: minRate: 20 MiB is more than the maximum of 10 MiB",
                refusal(request(",\"minRate\":\"20MiB\",\"maxRate\":\"10MiB\"")));
        assertEquals(
                "migrate: rateStep: needs minRate, the rate of the first round",
                refusal(request(",\"maxRate\":\"10MiB\",\"rateStep\":\"5MiB\"")));
    }

    @Test
    void stopTheWorldTakesNothingThatIsAboutRounds() throws Exception {
        String mode = ",\"mode\":\"stop-the-world\"";
        assertEquals(
                Mode.STOP_THE_WORLD,
                MigrationOrder.plan(request(mode + ",\"sharedDisks\":true,\"verify\":true"))
                        .mode());
        assertEquals(
                "migrate: whenUnconverged: stop-the-world has no rounds that it could apply to;"
                        + " maxRounds: stop-the-world has no rounds that it could apply to",
                refusal(request(mode + ",\"whenUnconverged\":\"abort\",\"maxRounds\":3")));
    }

    @Test
    void aDestinationIsNeeded() {
        assertTrue(refusal(Json.read("{}", MigrateRequest.class)).startsWith("migrate: to: missing"));
    }
}
