package remus.linux;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** A network namespace of a test's own, which lives as long as the process that holds it, and so never outlives us. */
public final class TestNamespace implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private final Process holder;

    public TestNamespace() throws IOException {
        holder = new ProcessBuilder("unshare", "-n", "sleep", "120").start();
        Path own = Files.readSymbolicLink(Path.of("/proc/self/ns/net"));
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (Files.readSymbolicLink(path()).equals(own)) {
            if (!holder.isAlive() || System.nanoTime() > deadline) {
                holder.destroyForcibly();
                throw new IOException("no network namespace could be made");
            }
            LockSupport.parkNanos(1_000_000);
        }
    }

    public Path path() {
        return Path.of("/proc/" + holder.pid() + "/ns/net");
    }

    /** Runs a command inside, such as {@code ip link}; returns what it printed. */
    public String run(String... command) throws IOException, InterruptedException {
        List<String> all = new ArrayList<>(List.of("nsenter", "--net=" + path()));
        all.addAll(List.of(command));
        Process process = new ProcessBuilder(all).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (!process.waitFor(LIMIT.toSeconds(), TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new IOException(all + " did not end");
        }
        return output;
    }

    /** Runs {@code work} on a platform thread that has entered this namespace. */
    public <T> T inside(Callable<T> work) throws Exception {
        FutureTask<T> task = new FutureTask<>(() -> {
            NetworkNamespace.enter(path());
            return work.call();
        });
        Thread thread = Thread.ofPlatform().name("in-namespace").start(task);
        try {
            return task.get(30, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof Exception cause) {
                throw cause;
            }
            throw e;
        } finally {
            thread.interrupt();
        }
    }

    @Override
    public void close() {
        holder.destroyForcibly();
    }
}
