package remus.host;

/** Starts the host daemon; the one way in from the command line. */
public final class HostLauncher {
    private HostLauncher() {}

    /**
     * Runs the daemon until SIGTERM or SIGINT ends it in order.
     *
     * @throws OperationException when it can't start: a port in use, a directory that can't be written, a tool that
     *     is missing
     */
    @SuppressWarnings("DoNotCallSuggester")
    public static void run(HostConfiguration configuration) throws OperationException {
        throw new OperationException(
                OperationException.Kind.FAILED,
                "the daemon of host %s can't start: this build has no VM agents".formatted(configuration.name()),
                "use a complete build");
    }
}
