package remus.cli;

import java.nio.file.Path;
import java.time.Duration;
import remus.base.RemusException;

/** Redis in the small guest, which lives in memory. */
record RedisApplication(DemoGuest guest) implements DemoApplication {
    static RedisApplication make() throws RemusException, InterruptedException {
        return new RedisApplication(DemoGuest.make());
    }

    @Override
    public Path image() {
        return guest.image().directory();
    }

    @Override
    public String description() {
        return "Debian's kernel and redis-server, unmodified";
    }

    @Override
    public String definition(Path directory) throws RemusException {
        return guest.definition();
    }

    @Override
    public void awaitUp(NamespaceThread inside, Duration limit) throws RemusException, InterruptedException {
        DemoGuest.awaitRedis(inside, limit);
    }

    @Override
    public ClientLoad connect(NamespaceThread inside, long seed) throws RemusException {
        return DemoGuest.connect(inside, seed);
    }

    @Override
    public DemoChecks check(NamespaceThread inside, DemoHost survivor, Path directory) {
        return DemoChecks.NONE;
    }
}
