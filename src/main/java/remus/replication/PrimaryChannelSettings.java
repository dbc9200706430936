package remus.replication;

import java.time.Duration;
import remus.base.HostAddress;
import remus.base.Term;
import remus.wire.Hello;

/**
 * How a primary reaches its backup, for one session.
 *
 * @param backup where the backup's daemon listens
 * @param backupName what the host there calls itself; one that says another name is refused
 * @param hello the session, as it is introduced; its mode is the channel's to choose
 * @param term the session's term
 * @param files the files that the hello names
 * @param compression whether pages are coded, which takes processor time and spares the link
 * @param limits how long to wait for what
 */
public record PrimaryChannelSettings(
        HostAddress backup,
        String backupName,
        Hello hello,
        Term term,
        FileSource files,
        Compression compression,
        Limits limits) {
    /**
     * Time limits of a channel; all are positive.
     *
     * @param connect for one attempt to connect; short, because the system itself repeats a lost connection request
     *     only after a second
     * @param welcome from the hello to its answer
     * @param ready without a byte from the backup, from the answer until its first checkpoint is sent
     * @param silence without a byte from the backup, later on, after which the connection counts as lost and is made
     *     again; not a sign of anything else
     * @param signOff from the sign-off to its answer, reconnections included
     */
    public record Limits(Duration connect, Duration welcome, Duration ready, Duration silence, Duration signOff) {
        // A backup that compares digests of much memory says nothing meanwhile.
        private static final Duration MIN_SILENCE = Duration.ofSeconds(1);

        /** Limits for a session that detects failures within {@code detect}. */
        public static Limits forDetection(Duration detect) {
            Duration twice = detect.multipliedBy(2);
            return new Limits(
                    Duration.ofMillis(200),
                    Duration.ofSeconds(5),
                    Duration.ofSeconds(60),
                    twice.compareTo(MIN_SILENCE) > 0 ? twice : MIN_SILENCE,
                    Duration.ofSeconds(3));
        }
    }
}
