package remus.availability;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import remus.availability.ModelKey.Fingerprint;
import remus.base.Invariant.InvariantViolation;

/**
 * Explores {@link ModelWorld}s: breadth-first and without repetition, or along random paths. Deterministic. From the states
 * that it meets it also lets faults end and everything take its course, and expects the VM to be served again.
 */
final class ModelSearch {
    /** What came of a search. */
    record Result(
            long states,
            int depth,
            boolean complete,
            long continuations,
            @Nullable String violation) {
        boolean foundViolation() {
            return violation != null;
        }
    }

    private static final int MAX_ROUNDS = 60;
    private static final int MAX_DEPTH = 400;
    private static final int FAULT_ODDS = 6;

    /** One state in so many is continued without faults. */
    private static final int CONTINUED = 4;

    private final ModelWorld start;
    private final FingerprintSet seen;
    private final FingerprintSet served = new FingerprintSet(1 << 12);
    private long continuations;

    ModelSearch(ModelWorld start) {
        this.start = start;
        seen = new FingerprintSet(1 << 12);
    }

    private record Reached(ModelWorld world, @Nullable Path path) {}

    private record Path(@Nullable Path before, ModelMove move) {}

    /** Breadth-first, until all is explored, {@code maxStates} are, or something is violated. */
    Result breadthFirst(long maxStates) {
        List<Reached> level = List.of(new Reached(start, null));
        seen.add(ModelKey.of(start));
        long states = 1;
        int depth = 0;
        while (!level.isEmpty() && depth < MAX_DEPTH) {
            List<Reached> next = new ArrayList<>();
            for (Reached reached : level) {
                for (ModelMove move : ModelMoves.of(reached.world())) {
                    Path path = new Path(reached.path(), move);
                    ModelWorld world = reached.world().copy();
                    String violation = take(world, move);
                    Fingerprint key = ModelKey.of(world);
                    if (violation == null && !seen.add(key)) {
                        continue;
                    }
                    states++;
                    if (violation == null && key.high() % CONTINUED == 0) {
                        violation = continueFairly(world);
                    }
                    if (violation != null) {
                        return new Result(states, depth + 1, false, continuations, trace(violation, path));
                    }
                    if (states >= maxStates) {
                        return new Result(states, depth + 1, false, continuations, null);
                    }
                    next.add(new Reached(world, path));
                }
            }
            level = next;
            depth++;
        }
        return new Result(states, depth, true, continuations, null);
    }

    /**
     * Paths of at most {@code maxSteps} steps chosen at random, one for each seed, by turns from each of {@code starts}.
     */
    static Result randomWalks(List<ModelWorld> starts, long firstSeed, long walks, int maxSteps) {
        List<ModelSearch> searches = starts.stream().map(ModelSearch::new).toList();
        long states = 0;
        for (long seed = firstSeed; seed < firstSeed + walks; seed++) {
            Result walk = searches.get((int) (seed % starts.size())).randomWalk(seed, maxSteps);
            states += walk.states();
            if (walk.foundViolation()) {
                return new Result(states, walk.depth(), false, walk.continuations(), walk.violation());
            }
        }
        long continued =
                searches.stream().mapToLong(search -> search.continuations).sum();
        return new Result(states, maxSteps, false, continued, null);
    }

    private Result randomWalk(long seed, int maxSteps) {
        Random random = new Random(seed);
        ModelWorld world = start.copy();
        Path path = null;
        int step = 0;
        for (; step < maxSteps; step++) {
            List<ModelMove> moves = ModelMoves.of(world);
            if (random.nextInt(FAULT_ODDS) > 0) {
                moves.removeIf(ModelSearch::isRare);
            }
            if (moves.isEmpty()) {
                moves = ModelMoves.of(world);
            }
            if (moves.isEmpty()) {
                break;
            }
            ModelMove move = moves.get(random.nextInt(moves.size()));
            path = new Path(path, move);
            String violation = take(world, move);
            if (violation == null && step % CONTINUED == 0) {
                violation = continueFairly(world);
            }
            if (violation != null) {
                return new Result(
                        step + 1, step + 1, false, continuations, "seed=" + seed + " " + trace(violation, path));
            }
        }
        return new Result(step, step, false, continuations, null);
    }

    /** Faults and their ends are rare enough on a random path for something to happen between them. */
    private static boolean isRare(ModelMove move) {
        return switch (move) {
            case ModelMove.LoseReply _,
                    ModelMove.LoadFails _,
                    ModelMove.Unprotect _,
                    ModelMove.Fence _,
                    ModelMove.GuestDies _,
                    ModelMove.Crash _,
                    ModelMove.RestartDaemon _,
                    ModelMove.Pause _,
                    ModelMove.Wake _,
                    ModelMove.Boot _,
                    ModelMove.Cut _,
                    ModelMove.Heal _ -> true;
            case ModelMove.Arbitrate _,
                    ModelMove.Reply _,
                    ModelMove.Deliver _,
                    ModelMove.Run _,
                    ModelMove.Seal _,
                    ModelMove.Protect _,
                    ModelMove.Reconnect _,
                    ModelMove.Retry _,
                    ModelMove.ActivationOverdue _,
                    ModelMove.Loaded _,
                    ModelMove.SuspectBackup _,
                    ModelMove.SuspectPrimary _ -> false;
        };
    }

    private static @Nullable String take(ModelWorld world, ModelMove move) {
        try {
            world.apply(move);
            ModelChecks.check(world);
            return null;
        } catch (ModelChecks.Violation | InvariantViolation e) {
            return String.valueOf(e.getMessage());
        }
    }

    // ---- once faults end

    /** Faults end, and whatever can happen happens in turns: where something of the VM is left, it is served. */
    private @Nullable String continueFairly(ModelWorld from) {
        ModelWorld world = from.copy();
        for (int host = 0; host < 2; host++) {
            world.cut[host] = false;
            if (world.hosts[host].paused) {
                world.apply(new ModelMove.Wake(host));
            }
        }
        continuations++;
        List<Fingerprint> way = new ArrayList<>();
        for (int round = 0; round < MAX_ROUNDS; round++) {
            Fingerprint key = ModelKey.of(world);
            if (ModelChecks.isServed(world) || served.contains(key)) {
                way.forEach(served::add);
                return null;
            }
            way.add(key);
            String violation = playRound(world);
            if (violation != null) {
                return "once faults end: " + violation;
            }
        }
        if (!ModelChecks.hasDuty(world)) {
            way.forEach(served::add);
            return null;
        }
        return "once faults end, nobody serves the VM; " + describe(world);
    }

    private static @Nullable String playRound(ModelWorld world) {
        for (Class<? extends ModelMove> kind : FAIR) {
            for (int host = 0; host < 2; host++) {
                for (ModelMove move : ModelMoves.of(world)) {
                    if (kind.isInstance(move) && concerns(move, host)) {
                        String violation = take(world, move);
                        if (violation != null) {
                            return violation;
                        }
                        break;
                    }
                }
            }
        }
        return null;
    }

    private static final List<Class<? extends ModelMove>> FAIR = List.of(
            ModelMove.Reply.class,
            ModelMove.Arbitrate.class,
            ModelMove.Deliver.class,
            ModelMove.Loaded.class,
            ModelMove.Retry.class,
            ModelMove.Reconnect.class,
            ModelMove.SuspectBackup.class,
            ModelMove.SuspectPrimary.class,
            ModelMove.ActivationOverdue.class);

    /** Moves that name no host are played once for each. */
    private static boolean concerns(ModelMove move, int host) {
        return switch (move) {
            case ModelMove.Deliver(int to, int _) -> to == host;
            case ModelMove.Loaded(int at) -> at == host;
            case ModelMove.Retry(int at) -> at == host;
            case ModelMove.Reconnect(int at) -> at == host;
            case ModelMove.SuspectBackup(int at) -> at == host;
            case ModelMove.SuspectPrimary(int at) -> at == host;
            case ModelMove.ActivationOverdue(int at) -> at == host;
            case ModelMove _ -> true;
        };
    }

    // ---- for people

    private String trace(String violation, @Nullable Path path) {
        List<ModelMove> moves = new ArrayList<>();
        for (Path step = path; step != null; step = step.before()) {
            moves.addFirst(step.move());
        }
        StringBuilder text = new StringBuilder(violation).append('\n');
        ModelWorld world = start.copy();
        text.append("  start: ").append(describe(world)).append('\n');
        for (ModelMove move : moves) {
            if (take(world, move) != null) {
                text.append("  ").append(move).append(" <- here\n");
                break;
            }
            text.append("  ")
                    .append(move)
                    .append(" -> ")
                    .append(describe(world))
                    .append('\n');
        }
        return text.toString();
    }

    private static String describe(ModelWorld world) {
        return "record [%s] alpha %s beta %s released %s"
                .formatted(
                        world.record,
                        describe(world.hosts[0]),
                        describe(world.hosts[1]),
                        Integer.toBinaryString(world.released));
    }

    private static String describe(ModelHost host) {
        if (!host.up) {
            return "[down]";
        }
        PrimaryState primary = host.primary;
        BackupState backup = host.backup;
        return "[%s%s%s%s]"
                .formatted(
                        host.paused ? "paused " : "",
                        primary == null ? "" : primary.role().getClass().getSimpleName(),
                        backup == null ? "" : " " + backup.role().getClass().getSimpleName(),
                        host.guest ? " guest " + Integer.toBinaryString(host.contains) : "");
    }
}
