package remus.host;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import remus.api.CompressMode;
import remus.api.ProtectRequest;
import remus.api.StandbyMode;
import remus.api.WhenAlone;
import remus.base.ByteSize;
import remus.base.DurationText;
import remus.checkpoint.EpochLengths;
import remus.host.OperationException.Kind;

/**
 * How a VM is protected, checked: from its definition's {@code protection} and from what {@code protect} was asked.
 *
 * @param backups names of peers or addresses, the first one preferred; empty when nothing is said
 * @param interval length of an epoch, {@link #MIN_INTERVAL} to {@link #MAX_INTERVAL}, whole milliseconds
 * @param maxPauseShare the part of the time, in percent, that pauses may take where epochs end early because output waits:
 *     0 to {@link EpochLengths#MAX_PAUSE_SHARE_PERCENT}; 0: all epochs have the length of the interval
 * @param detect how long checkpoints may stop coming before the backup takes over: at least twice the interval and
 *     {@link #MIN_DETECT}, at most {@link #MAX_DETECT}, whole milliseconds
 * @param whenAlone what the primary does without its backup
 * @param outputCommit false lets output go before it is safe
 * @param verifyEvery commits between two comparisons of RAM digests; 0 never
 * @param syncRate most disk data copied per second while the backup is synchronized; 0 B: no limit
 * @param standby whether a QEMU waits on the backup
 * @param compress whether pages are coded on their way to the backup
 */
public record ProtectionSettings(
        List<String> backups,
        Duration interval,
        int maxPauseShare,
        Duration detect,
        WhenAlone whenAlone,
        boolean outputCommit,
        long verifyEvery,
        ByteSize syncRate,
        StandbyMode standby,
        CompressMode compress) {
    public static final Duration MIN_INTERVAL = Duration.ofMillis(5);
    public static final Duration MAX_INTERVAL = Duration.ofSeconds(10);

    /** Below this, a pause of the garbage collector or a busy machine looks like a dead host. */
    public static final Duration MIN_DETECT = Duration.ofMillis(50);

    public static final Duration MAX_DETECT = Duration.ofMinutes(1);

    /** One epoch is always under way; only the second one that does not come is news. */
    public static final int MIN_DETECT_INTERVALS = 2;

    /** Slower than this, a disk of an ordinary size would take days. */
    public static final ByteSize MIN_SYNC_RATE = ByteSize.ofMebibytes(1);

    /** Backups that a definition may name. */
    static final int MAX_BACKUPS = 8;

    /** Those and others that have come with commands and take-overs. */
    static final int MAX_CANDIDATES = 16;

    /** As long as a client hardly notices, and not so short that two checkpoints are always on their way. */
    static final Duration MIGRATION_INTERVAL = Duration.ofMillis(10);

    /** On a busy machine nobody is silent for so long who lives. */
    static final Duration MIGRATION_DETECT = Duration.ofSeconds(2);

    private static final Pattern SHARE = Pattern.compile("(\\d{1,3})\\s*%");

    public static final ProtectionSettings DEFAULTS = new ProtectionSettings(
            List.of(),
            Duration.ofMillis(25),
            20,
            Duration.ofMillis(300),
            WhenAlone.HOLD,
            true,
            0,
            new ByteSize(0),
            StandbyMode.WARM,
            CompressMode.AUTO);

    public ProtectionSettings {
        backups = List.copyOf(backups);
    }

    /** Reads {@code protection} of a VM definition; problems are noted there. */
    static ProtectionSettings read(StrictYaml yaml) {
        List<String> backups = yaml.texts("backups", MAX_BACKUPS);
        Duration interval = orElse(yaml.value("interval", DurationText::parse), DEFAULTS.interval());
        int maxPauseShare =
                orElse(yaml.value("maxPauseShare", ProtectionSettings::parseShare), DEFAULTS.maxPauseShare());
        Duration detect = orElse(yaml.value("detect", DurationText::parse), DEFAULTS.detect());
        WhenAlone whenAlone = orElse(yaml.value("whenAlone", WhenAlone::parse), DEFAULTS.whenAlone());
        ByteSize syncRate = orElse(yaml.value("syncRate", ByteSize::parse), DEFAULTS.syncRate());
        StandbyMode standby = orElse(yaml.value("standby", StandbyMode::parse), DEFAULTS.standby());
        CompressMode compress = orElse(yaml.value("compress", CompressMode::parse), DEFAULTS.compress());
        yaml.end();
        checkSyncRate(syncRate, yaml::refuse);
        check(interval, detect, yaml::refuse);
        return new ProtectionSettings(
                backups, interval, maxPauseShare, detect, whenAlone, true, 0, syncRate, standby, compress);
    }

    /**
     * These settings, but what {@code request} says otherwise.
     *
     * @throws OperationException naming each value that can't be
     */
    public ProtectionSettings with(ProtectRequest request) throws OperationException {
        List<String> problems = new ArrayList<>();
        Duration newInterval = duration("interval", request.interval(), interval, problems);
        Duration newDetect = duration("detect", request.detect(), detect, problems);
        if (problems.isEmpty()) {
            check(newInterval, newDetect, (key, problem) -> problems.add(key + ": " + problem));
        }
        int newMaxPauseShare = maxPauseShare(request.maxPauseShare(), problems);
        long newVerifyEvery = orElse(request.verifyEvery(), verifyEvery);
        ByteSize newSyncRate = syncRate(request.syncRate(), problems);
        if (newVerifyEvery < 0) {
            problems.add("verify: '%d' is not a number of commits".formatted(newVerifyEvery));
        }
        if (!problems.isEmpty()) {
            throw new OperationException(Kind.REFUSED, "protect: " + String.join("; ", problems), "");
        }
        String backup = request.backup();
        return new ProtectionSettings(
                backup == null ? backups : startingWith(backup),
                newInterval,
                newMaxPauseShare,
                newDetect,
                orElse(request.whenAlone(), whenAlone),
                orElse(request.outputCommit(), outputCommit),
                newVerifyEvery,
                newSyncRate,
                orElse(request.standby(), standby),
                orElse(request.compress(), compress));
    }

    /** That one comes first; the others follow it. */
    private List<String> startingWith(String first) {
        return Stream.concat(Stream.of(first), backups.stream().filter(backup -> !backup.equals(first)))
                .limit(MAX_CANDIDATES)
                .toList();
    }

    /** These settings with that candidate as the first one; of too many the last one gives way to it. */
    ProtectionSettings withFirst(String candidate) {
        return withCandidates(startingWith(candidate));
    }

    /** These settings with a further candidate, the last one; of too many the one before gives way to it. */
    ProtectionSettings withLast(String candidate) {
        List<String> others =
                backups.stream().filter(backup -> !backup.equals(candidate)).toList();
        List<String> candidates = Stream.concat(others.stream().limit(MAX_CANDIDATES - 1L), Stream.of(candidate))
                .toList();
        return withCandidates(candidates);
    }

    ProtectionSettings withCandidates(List<String> candidates) {
        return new ProtectionSettings(
                candidates,
                interval,
                maxPauseShare,
                detect,
                whenAlone,
                outputCommit,
                verifyEvery,
                syncRate,
                standby,
                compress);
    }

    /** These settings, but nobody goes on alone by what he can't hear: two of them would have one image. */
    ProtectionSettings holding() {
        return new ProtectionSettings(
                backups,
                interval,
                maxPauseShare,
                detect,
                WhenAlone.HOLD,
                outputCommit,
                verifyEvery,
                syncRate,
                standby,
                compress);
    }

    /**
     * These settings, as a session has them that moves the VM: nothing leaves early, a QEMU waits for it, and a host that is
     * silent for a moment is no reason to break off what is about to end anyhow.
     */
    ProtectionSettings forMigration(boolean verify) {
        return new ProtectionSettings(
                backups,
                interval.compareTo(MIGRATION_INTERVAL) < 0 ? interval : MIGRATION_INTERVAL,
                0, // what the guest sends waits for the settling, whose checkpoints come as fast as they can
                detect.compareTo(MIGRATION_DETECT) > 0 ? detect : MIGRATION_DETECT,
                whenAlone,
                true,
                verify ? 1 : 0,
                syncRate,
                StandbyMode.WARM,
                compress);
    }

    private ByteSize syncRate(@Nullable String text, List<String> problems) {
        try {
            ByteSize rate = text == null ? syncRate : ByteSize.parse(text);
            checkSyncRate(rate, (key, problem) -> problems.add(key + ": " + problem));
            return rate;
        } catch (IllegalArgumentException e) {
            problems.add("syncRate: " + e.getMessage());
            return syncRate;
        }
    }

    private int maxPauseShare(@Nullable String text, List<String> problems) {
        try {
            return text == null ? maxPauseShare : parseShare(text);
        } catch (IllegalArgumentException e) {
            problems.add("maxPauseShare: " + e.getMessage());
            return maxPauseShare;
        }
    }

    /** @throws IllegalArgumentException naming the text and what is understood */
    public static int parseShare(String text) {
        Matcher matcher = SHARE.matcher(text.strip());
        int share = matcher.matches() ? Integer.parseInt(matcher.group(1)) : Integer.MAX_VALUE;
        if (share > EpochLengths.MAX_PAUSE_SHARE_PERCENT) {
            throw new IllegalArgumentException("'%s' is not a share from 0%% to %d%%, such as 20%%"
                    .formatted(text, EpochLengths.MAX_PAUSE_SHARE_PERCENT));
        }
        return share;
    }

    private static void checkSyncRate(ByteSize rate, BiConsumer<String, String> refuse) {
        if (rate.bytes() != 0 && rate.bytes() < MIN_SYNC_RATE.bytes()) {
            refuse.accept("syncRate", "%s is less than %s (0B means no limit)".formatted(rate, MIN_SYNC_RATE));
        }
    }

    private static <T> T orElse(@Nullable T value, T otherwise) {
        return value == null ? otherwise : value;
    }

    private static Duration duration(String key, @Nullable String text, Duration otherwise, List<String> problems) {
        try {
            return text == null ? otherwise : DurationText.parse(text);
        } catch (IllegalArgumentException e) {
            problems.add(key + ": " + e.getMessage());
            return otherwise;
        }
    }

    /** Tells {@code refuse} the key and the problem, the first one only: the second may come from it. */
    static void check(Duration interval, Duration detect, BiConsumer<String, String> refuse) {
        Duration least = interval.multipliedBy(MIN_DETECT_INTERVALS);
        if (isOutside(interval, MIN_INTERVAL, MAX_INTERVAL)) {
            refuse.accept("interval", outside(interval, MIN_INTERVAL, MAX_INTERVAL));
        } else if (isOutside(detect, MIN_DETECT, MAX_DETECT)) {
            refuse.accept("detect", outside(detect, MIN_DETECT, MAX_DETECT));
        } else if (detect.compareTo(least) < 0) {
            refuse.accept(
                    "detect",
                    "%s is less than twice the interval of %s: use %s or more"
                            .formatted(
                                    DurationText.format(detect),
                                    DurationText.format(interval),
                                    DurationText.format(least)));
        }
    }

    private static boolean isOutside(Duration value, Duration min, Duration max) {
        return value.compareTo(min) < 0 || value.compareTo(max) > 0 || value.toNanos() % 1_000_000 != 0;
    }

    private static String outside(Duration value, Duration min, Duration max) {
        return "%s is not from %s to %s in whole milliseconds"
                .formatted(DurationText.format(value), DurationText.format(min), DurationText.format(max));
    }
}
