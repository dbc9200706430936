package remus.doctor;

import org.jspecify.annotations.Nullable;
import remus.availability.ArbiterChoice;

/** Judges who is to decide about ownership. Pure. */
final class ArbiterJudgement {
    /** With fewer servers the death of one leaves no majority. */
    static final int ENOUGH_SERVERS = 3;

    private ArbiterJudgement() {}

    /** @param problem why an ensemble did not answer, or null */
    static Finding arbiter(ArbiterChoice choice, @Nullable Problem problem) {
        return switch (choice) {
            case ArbiterChoice.None _ ->
                Finding.warning(
                        "arbiter",
                        "none: hosts that can't hear each other could both run a VM, or neither",
                        "name one, the same on both hosts: --arbiter zookeeper:HOST:PORT,HOST:PORT,HOST:PORT");
            case ArbiterChoice.Embedded _ ->
                Finding.warning(
                        "arbiter",
                        "a server in the daemon's own process, and gone with it: for trying out",
                        "for more, run three ZooKeeper servers (docs/OPERATING.md)");
            case ArbiterChoice.Ensemble ensemble -> ensemble(ensemble, problem);
        };
    }

    private static Finding ensemble(ArbiterChoice.Ensemble ensemble, @Nullable Problem problem) {
        if (problem != null) {
            return Finding.failure(
                    "arbiter",
                    new Problem("%s does not answer: %s".formatted(ensemble, problem.what()), problem.advice()),
                    "see that a majority of its servers runs, and that their ports can be reached from here");
        }
        int servers = ensemble.servers().size();
        return servers < ENOUGH_SERVERS
                ? Finding.warning(
                        "arbiter",
                        "%s answers, but %s: a failover waits while one is away"
                                .formatted(ensemble, servers == 1 ? "is a single server" : "has two servers only"),
                        "use three servers or more")
                : Finding.ok("arbiter", "%s answers by a majority".formatted(ensemble));
    }
}
