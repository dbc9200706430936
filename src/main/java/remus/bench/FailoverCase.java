package remus.bench;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the kills of the failover bench have come to. Times are those of the kills that the VM survived; null without any.
 *
 * @param kill mixed, process or power
 * @param detectMillis as asked
 * @param kills of the host that ran the VM
 * @param activations of these, those after which the backup took over
 * @param acknowledged writes that the client had an answer for
 * @param lost of these, those that the server did not know any more
 * @param resets connections that broke
 * @param stallMillisP50 from the kill to the client's next answer, by the client
 * @param detectionMillisP50 from the kill until the backup began to take over, by its events
 * @param activationMillisP50 from then until the VM ran there, by its events
 * @param firstAnswerMillisP50 from then to the client's next answer
 * @param byKill the same times of each way to kill, where there were several
 */
public record FailoverCase(
        String kill,
        long detectMillis,
        int kills,
        int activations,
        long acknowledged,
        long lost,
        long resets,
        @Nullable Long stallMillisP50,
        @Nullable Long stallMillisP99,
        @Nullable Long stallMillisMin,
        @Nullable Long stallMillisMax,
        @Nullable Long detectionMillisP50,
        @Nullable Long detectionMillisP99,
        @Nullable Long detectionMillisMin,
        @Nullable Long detectionMillisMax,
        @Nullable Long activationMillisP50,
        @Nullable Long activationMillisP99,
        @Nullable Long activationMillisMin,
        @Nullable Long activationMillisMax,
        @Nullable Long firstAnswerMillisP50,
        @Nullable Long firstAnswerMillisP99,
        @Nullable Long firstAnswerMillisMin,
        @Nullable Long firstAnswerMillisMax,
        List<ByKill> byKill) {
    /** The kills of one kind. */
    public record ByKill(
            String kill,
            int kills,
            int activations,
            @Nullable Long stallMillisP50,
            @Nullable Long stallMillisP99,
            @Nullable Long stallMillisMax,
            @Nullable Long detectionMillisP50,
            @Nullable Long activationMillisP50,
            @Nullable Long firstAnswerMillisP50) {}

    public FailoverCase {
        byKill = List.copyOf(byKill);
    }
}
