package remus.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/** Collects what kills have come to and makes the failover bench's report of that. Confined to one thread. */
public final class FailoverTally {
    /**
     * One kill.
     *
     * @param kill process or power
     * @param activated whether the backup took over at all; the times mean nothing otherwise
     */
    public record Kill(
            String kill,
            boolean activated,
            long stallMillis,
            long detectionMillis,
            long activationMillis,
            long firstAnswerMillis) {}

    /** What the client has seen in all. */
    public record Client(long acknowledged, long lost, long resets) {}

    private final FailoverSettings settings;
    private final List<Kill> kills = new ArrayList<>();

    public FailoverTally(FailoverSettings settings) {
        this.settings = settings;
    }

    public void add(Kill kill) {
        kills.add(kill);
    }

    /** The one case. */
    public FailoverCase summary(Client client) {
        Samples stall = samples(kills, Kill::stallMillis);
        Samples detection = samples(kills, Kill::detectionMillis);
        Samples activation = samples(kills, Kill::activationMillis);
        Samples firstAnswer = samples(kills, Kill::firstAnswerMillis);
        return new FailoverCase(
                settings.kill(),
                settings.detect().toMillis(),
                kills.size(),
                stall.count(),
                client.acknowledged(),
                client.lost(),
                client.resets(),
                percentile(stall, 50),
                percentile(stall, 99),
                percentile(stall, 0),
                percentile(stall, 100),
                percentile(detection, 50),
                percentile(detection, 99),
                percentile(detection, 0),
                percentile(detection, 100),
                percentile(activation, 50),
                percentile(activation, 99),
                percentile(activation, 0),
                percentile(activation, 100),
                percentile(firstAnswer, 50),
                percentile(firstAnswer, 99),
                percentile(firstAnswer, 0),
                percentile(firstAnswer, 100),
                byKill());
    }

    private List<FailoverCase.ByKill> byKill() {
        List<String> ways = kills.stream().map(Kill::kill).distinct().sorted().toList();
        return ways.size() < 2 ? List.of() : ways.stream().map(this::summary).toList();
    }

    private FailoverCase.ByKill summary(String way) {
        List<Kill> such = kills.stream().filter(kill -> kill.kill().equals(way)).toList();
        Samples stall = samples(such, Kill::stallMillis);
        return new FailoverCase.ByKill(
                way,
                such.size(),
                stall.count(),
                percentile(stall, 50),
                percentile(stall, 99),
                percentile(stall, 100),
                percentile(samples(such, Kill::detectionMillis), 50),
                percentile(samples(such, Kill::activationMillis), 50),
                percentile(samples(such, Kill::firstAnswerMillis), 50));
    }

    private static Samples samples(List<Kill> kills, ToLongFunction<Kill> value) {
        Samples samples = new Samples();
        kills.stream().filter(Kill::activated).mapToLong(value).forEach(samples::add);
        return samples;
    }

    private static @Nullable Long percentile(Samples samples, int percent) {
        return samples.count() == 0 ? null : Long.valueOf(samples.percentile(percent));
    }
}
