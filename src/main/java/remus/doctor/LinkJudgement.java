package remus.doctor;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import remus.api.DoctorReport;
import remus.api.Percentiles;
import remus.base.ByteSize;
import remus.replication.LinkFigures;
import remus.replication.PeerException;

/**
 * Judges a link, and says which interval and detection time it allows. Pure.
 *
 * <p>A checkpoint is acknowledged when its pages have been sent and a round trip has passed. Two may be in flight, so that an
 * interval could be shorter than that; it is asked here that one fits, with part of the bandwidth left for disk writes and
 * mirrored input. How many pages a guest changes in an interval is not known: {@link #USUAL_PAGES} stand for a busy server.
 */
final class LinkJudgement {
    /** Intervals to choose from, in milliseconds; the first one is the default. */
    static final List<Long> INTERVALS_MILLIS = List.of(25L, 50L, 100L, 200L, 500L);

    /** Pages that a busy server changes in an interval. */
    static final long USUAL_PAGES = 500;

    /** A page of 4 KiB and its entry in a frame's table. */
    static final long BYTES_PER_PAGE = 4096 + 12;

    /** Device state and the frames around it. */
    static final long BYTES_PER_CHECKPOINT = 64 << 10;

    /** Of the bandwidth, what pages may use. */
    static final double USABLE = 0.8;

    /** The product's default detection time. */
    static final long DEFAULT_DETECT_MILLIS = 300;

    /** Below it a busy machine is taken for a dead one. */
    static final long MIN_DETECT_MILLIS = 100;

    /** Life is told by checkpoints that make progress: so many of them may be late. */
    static final long INTERVALS_PER_DETECT = 4;

    /** Heartbeats come at a quarter of the detection time: a round trip must be no longer than that. */
    static final long HEARTBEATS_PER_DETECT = 4;

    /** Detection times are told in steps of so much. */
    static final long DETECT_STEP_MILLIS = 50;

    /** Round trips that are longer cost each answer to a client more than half the default interval. */
    static final long LONG_ROUND_TRIP_MICROS = 5_000;

    /** A 99th percentile that is longer makes commits uneven. */
    static final long UNEVEN_ROUND_TRIP_MICROS = 20_000;

    private static final String NETWORK_REMEDY =
            "give replication a link of its own between the hosts, of 1 Gbit/s or more, best 10";

    private LinkJudgement() {}

    /** The link could not be measured. */
    static Finding unmeasured(PeerException.Kind kind, String why) {
        return switch (kind) {
            case REFUSED -> Finding.warning("link", "not measured: " + why, "look again in a minute");
            case NOBODY_LISTENS, UNREACHABLE, FOREIGN ->
                Finding.failure("link", "it could not be measured: " + why, NETWORK_REMEDY);
        };
    }

    static Finding latency(LinkFigures link) {
        String found = "round trip p50 %s ms, p99 %s ms, max %s ms (%d of them)"
                .formatted(
                        millis(link.roundTripMicrosP50()),
                        millis(link.roundTripMicrosP99()),
                        millis(link.roundTripMicrosMax()),
                        link.roundTrips());
        boolean slow = link.roundTripMicrosP50() > LONG_ROUND_TRIP_MICROS;
        boolean uneven = link.roundTripMicrosP99() > UNEVEN_ROUND_TRIP_MICROS;
        return slow || uneven
                ? Finding.warning(
                        "latency",
                        found + (slow ? ": each answer to a client waits for one" : ": commits will be uneven"),
                        "put the hosts nearer to each other in the network, and keep other load off the link")
                : Finding.ok("latency", found);
    }

    static Finding bandwidth(LinkFigures link) {
        String found = "%s/s (%.1f Gbit/s), by %s of bulk"
                .formatted(
                        new ByteSize(link.bytesPerSecond()),
                        link.bytesPerSecond() * 8 / 1e9,
                        new ByteSize(link.sentBytes()));
        Long interval = interval(link);
        if (interval == null) {
            return Finding.failure(
                    "bandwidth",
                    found + ": too little for %d pages in %d ms".formatted(USUAL_PAGES, INTERVALS_MILLIS.getLast()),
                    NETWORK_REMEDY);
        }
        return transferMicros(link, USUAL_PAGES) > INTERVALS_MILLIS.getFirst() * 1_000
                ? Finding.warning(
                        "bandwidth",
                        found
                                + ": too little for %d pages in %d ms"
                                        .formatted(USUAL_PAGES, INTERVALS_MILLIS.getFirst()),
                        NETWORK_REMEDY)
                : Finding.ok("bandwidth", found);
    }

    static Finding interval(LinkFigures link, DoctorReport.LinkEstimate estimate) {
        Long interval = estimate.recommendedIntervalMillis();
        if (interval == null) {
            return Finding.failure("interval", "the link is too slow for any interval", NETWORK_REMEDY);
        }
        String found =
                "--interval %dms --detect %dms (not below %dms): %d pages (%s) fit into an interval; a commit takes %s ms at least, %s ms with so many"
                        .formatted(
                                interval,
                                estimate.recommendedDetectMillis(),
                                estimate.shortestDetectMillis(),
                                pages(link, interval),
                                new ByteSize(pages(link, interval) * 4096),
                                millis(link.roundTripMicrosP50()),
                                millis(commitMicros(link, pages(link, interval))));
        return interval.equals(INTERVALS_MILLIS.getFirst())
                ? Finding.ok("interval", found)
                : Finding.warning(
                        "interval",
                        found,
                        "name these to 'remus protect', or in the definition: the defaults ask for a better link");
    }

    /** @param clockAheadMillis how far the peer's clock is ahead */
    static DoctorReport.LinkEstimate estimate(LinkFigures link, long clockAheadMillis) {
        List<DoctorReport.IntervalEstimate> estimates = new ArrayList<>();
        for (long millis : INTERVALS_MILLIS) {
            long pages = pages(link, millis);
            estimates.add(new DoctorReport.IntervalEstimate(millis, pages, commitMicros(link, pages)));
        }
        Long interval = interval(link);
        Long shortest = interval == null ? null : shortestDetectMillis(link, interval);
        return new DoctorReport.LinkEstimate(
                new Percentiles(link.roundTripMicrosP50(), link.roundTripMicrosP99(), link.roundTripMicrosMax()),
                link.bytesPerSecond(),
                clockAheadMillis,
                estimates,
                interval,
                shortest == null ? null : Math.max(DEFAULT_DETECT_MILLIS, shortest),
                shortest);
    }

    /** The shortest interval in which a usual checkpoint gets there and is acknowledged; null: none is long enough. */
    private static @Nullable Long interval(LinkFigures link) {
        for (Long millis : INTERVALS_MILLIS) {
            if (transferMicros(link, USUAL_PAGES) + link.roundTripMicrosP99() <= millis * 1_000) {
                return millis;
            }
        }
        return null;
    }

    private static long shortestDetectMillis(LinkFigures link, long intervalMillis) {
        long roundTripMillis = (link.roundTripMicrosP99() + 999) / 1_000;
        long forProgress = INTERVALS_PER_DETECT * intervalMillis + roundTripMillis;
        long forHeartbeats = HEARTBEATS_PER_DETECT * roundTripMillis;
        long shortest = Math.max(MIN_DETECT_MILLIS, Math.max(forProgress, forHeartbeats));
        return (shortest + DETECT_STEP_MILLIS - 1) / DETECT_STEP_MILLIS * DETECT_STEP_MILLIS;
    }

    /** Pages of a checkpoint that is acknowledged within the interval. */
    private static long pages(LinkFigures link, long intervalMillis) {
        double seconds = intervalMillis / 1e3 - link.roundTripMicrosP99() / 1e6;
        double bytes = seconds * link.bytesPerSecond() * USABLE - BYTES_PER_CHECKPOINT;
        return Math.max(0, (long) (bytes / BYTES_PER_PAGE));
    }

    private static long transferMicros(LinkFigures link, long pages) {
        double bytes = pages * BYTES_PER_PAGE + BYTES_PER_CHECKPOINT;
        return (long) Math.ceil(bytes / (Math.max(1, link.bytesPerSecond()) * USABLE) * 1e6);
    }

    private static long commitMicros(LinkFigures link, long pages) {
        return transferMicros(link, pages) + link.roundTripMicrosP50();
    }

    private static String millis(long micros) {
        return String.format(Locale.ROOT, micros < 10_000 ? "%.2f" : "%.0f", micros / 1e3);
    }
}
