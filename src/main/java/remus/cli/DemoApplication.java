package remus.cli;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import remus.base.RemusException;

/** What runs in the demo's guest, and how the demo talks to it. Used by one thread. */
interface DemoApplication {
    /** The applications there are. */
    enum Kind {
        REDIS("writes"),
        POSTGRES("rows");

        private final String writes;

        Kind(String writes) {
            this.writes = writes;
        }

        /** What a person calls that which its client writes. */
        String writes() {
            return writes;
        }

        /** Makes the guest's image, or finds it in the cache; what the scripts say goes to stderr. */
        DemoApplication make() throws RemusException, InterruptedException {
            return switch (this) {
                case REDIS -> RedisApplication.make();
                case POSTGRES -> PostgresApplication.make();
            };
        }

        /** As on the command line. */
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** Where the guest's image is kept. */
    Path image();

    /** What the guest is, for a person. */
    String description();

    /**
     * The VM's definition in YAML.
     *
     * @param directory receives what this VM alone uses
     */
    String definition(Path directory) throws RemusException, InterruptedException;

    /** Waits until the application takes requests. */
    void awaitUp(NamespaceThread inside, Duration limit) throws RemusException, InterruptedException;

    /** A client on one TCP connection; there is one at a time. */
    ClientLoad connect(NamespaceThread inside, long seed) throws RemusException;

    /**
     * What else has to be right at the end, beyond what the client has seen. The client has finished.
     *
     * @param survivor runs the VM, unprotected
     * @param directory for files that are gone afterwards
     */
    DemoChecks check(NamespaceThread inside, DemoHost survivor, Path directory) throws InterruptedException;
}
