package remus.doctor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;
import remus.api.DoctorReport;
import remus.replication.LinkFigures;
import remus.replication.PeerException;

class LinkJudgementTest {
    private static final String NETWORK_REMEDY =
            "give replication a link of its own between the hosts, of 1 Gbit/s or more, best 10";

    /** What a link of so many Gbit/s carries, as bytes a second. */
    private static LinkFigures link(double gigabits, long p50Micros, long p99Micros) {
        return new LinkFigures(p50Micros, p99Micros, 2 * p99Micros, 1_000, (long) (gigabits * 0.94e9 / 8), 100 << 20);
    }

    private static DoctorReport.LinkEstimate estimate(LinkFigures link) {
        return LinkJudgement.estimate(link, 0);
    }

    private static Finding interval(LinkFigures link) {
        return LinkJudgement.interval(link, estimate(link));
    }

    @Test
    void aGigabitAllowsTheDefaults() {
        LinkFigures gigabit = link(1, 200, 400);
        Expected.ok(
                "latency",
                "round trip p50 0.20 ms, p99 0.40 ms, max 0.80 ms (1000 of them)",
                LinkJudgement.latency(gigabit));
        Expected.ok("bandwidth", "112.1 MiB/s (0.9 Gbit/s), by 100 MiB of bulk", LinkJudgement.bandwidth(gigabit));
        Expected.ok(
                "interval",
                "--interval 25ms --detect 300ms (not below 150ms): 546 pages (2.1 MiB) fit into an interval; a commit takes"
                        + " 0.20 ms at least, 25 ms with so many",
                interval(gigabit));
    }

    @Test
    void aSlowerLinkNeedsALongerIntervalAndMoreTimeToDetect() {
        LinkFigures slow = link(0.1, 1_000, 3_000);
        Expected.warning(
                "bandwidth",
                "11.2 MiB/s (0.1 Gbit/s), by 100 MiB of bulk: too little for 500 pages in 25 ms",
                NETWORK_REMEDY,
                LinkJudgement.bandwidth(slow));
        Expected.warning(
                "interval",
                "--interval 500ms --detect 2050ms (not below 2050ms): 1121 pages (4.4 MiB) fit into an interval; a commit"
                        + " takes 1.00 ms at least, 498 ms with so many",
                "name these to 'remus protect', or in the definition: the defaults ask for a better link",
                interval(slow));
    }

    @Test
    void aLinkThatIsTooSlowForAnyIntervalIsAFailure() {
        LinkFigures trickle = link(0.02, 1_000, 3_000);
        Expected.failure(
                "bandwidth",
                "2.2 MiB/s (0.0 Gbit/s), by 100 MiB of bulk: too little for 500 pages in 500 ms",
                NETWORK_REMEDY,
                LinkJudgement.bandwidth(trickle));
        Expected.failure("interval", "the link is too slow for any interval", NETWORK_REMEDY, interval(trickle));
        assertNull(estimate(trickle).recommendedIntervalMillis());
        assertNull(estimate(trickle).recommendedDetectMillis());
        assertEquals(0, estimate(trickle).intervals().getFirst().pages());
    }

    @Test
    void longOrUnevenRoundTripsAreAWarning() {
        String remedy = "put the hosts nearer to each other in the network, and keep other load off the link";
        Expected.warning(
                "latency",
                "round trip p50 6.00 ms, p99 7.00 ms, max 14 ms (1000 of them): each answer to a client waits for one",
                remedy,
                LinkJudgement.latency(link(10, 6_000, 7_000)));
        Expected.warning(
                "latency",
                "round trip p50 1.00 ms, p99 21 ms, max 42 ms (1000 of them): commits will be uneven",
                remedy,
                LinkJudgement.latency(link(10, 1_000, 21_000)));
    }

    @Test
    void aLongRoundTripLengthensTheDetectionTime() {
        DoctorReport.LinkEstimate far = estimate(link(10, 80_000, 130_000));
        assertEquals(200L, far.recommendedIntervalMillis());
        assertEquals(950L, far.shortestDetectMillis());
        assertEquals(950L, far.recommendedDetectMillis());
    }

    @Test
    void aLinkThatWasNotMeasuredIsTold() {
        Expected.warning(
                "link",
                "not measured: 2 measurements are under way",
                "look again in a minute",
                LinkJudgement.unmeasured(PeerException.Kind.REFUSED, "2 measurements are under way"));
        for (PeerException.Kind kind : PeerException.Kind.values()) {
            if (kind != PeerException.Kind.REFUSED) {
                Expected.failure(
                        "link", "it could not be measured: cut", NETWORK_REMEDY, LinkJudgement.unmeasured(kind, "cut"));
            }
        }
    }

    /** Whatever was measured: what is recommended fits, and a better link never gets worse advice. */
    @Test
    void adviceFitsTheLinkAndBetterLinksGetNoWorseAdvice() {
        Random random = new Random(20080416);
        for (int round = 0; round < 2_000; round++) {
            long p50 = 10L + random.nextInt(50_000);
            LinkFigures worse = new LinkFigures(
                    p50, p50 + random.nextInt(50_000), 200_000, 100, 1 + (long) Math.exp(random.nextDouble(24)), 1);
            LinkFigures better =
                    new LinkFigures(p50, worse.roundTripMicrosP99(), 200_000, 100, worse.bytesPerSecond() * 2, 1);
            DoctorReport.LinkEstimate advice = estimate(worse);
            Long interval = advice.recommendedIntervalMillis();
            if (interval != null) {
                DoctorReport.IntervalEstimate fits = advice.intervals().stream()
                        .filter(each -> each.intervalMillis() == interval)
                        .findFirst()
                        .orElseThrow();
                assertTrue(fits.pages() >= LinkJudgement.USUAL_PAGES - 1, worse + " " + fits);
                assertTrue(fits.commitMicros() <= interval * 1_000 + 1, worse + " " + fits);
                Long betterInterval = estimate(better).recommendedIntervalMillis();
                assertTrue(betterInterval != null && betterInterval <= interval, worse + " " + better);
                Long shortest = advice.shortestDetectMillis();
                assertTrue(shortest != null && shortest * 1_000 >= 4 * interval * 1_000 + worse.roundTripMicrosP99());
            }
        }
    }
}
