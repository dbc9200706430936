package remus.zookeeper;

import static remus.zookeeper.ZooKeeperLimits.CONNECTION_TIMEOUT_MILLIS;
import static remus.zookeeper.ZooKeeperLimits.SESSION_TIMEOUT_MILLIS;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.client.ZKClientConfig;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.availability.Arbiter;
import remus.availability.ArbiterChoice;
import remus.availability.OwnershipRecord;
import remus.base.HostAddress;
import remus.base.Time;

/**
 * The {@link Arbiter} on a ZooKeeper ensemble: one persistent node for each VM, {@code ROOT/vms/NAME}, changed by
 * compare-and-set of its version, read with a majority's confirmation ({@link RecordCall}).
 *
 * <p>Sessions expire and are replaced without notice: nothing depends on one, and no node is ephemeral. The servers need not
 * be there at the start. Calls from any thread; answers, and changes of the status, come on the arbiter's own thread, and must
 * not block it. Each call is answered within {@link ZooKeeperLimits#ANSWER_LIMIT_MILLIS}. A broken connection is repaired, and
 * the call tried again, until then; what remains undecided is answered as unknown or unavailable.
 */
public final class ZooKeeperArbiter implements Arbiter {
    private static final Logger LOG = LoggerFactory.getLogger(ZooKeeperArbiter.class);

    /** As a VM's definition has it; also what may be a part of a node's path. */
    private static final Pattern VM_NAME = Pattern.compile("[a-z0-9-]{1,40}");

    private final String servers;
    private final String root;
    private final Time time;
    private final Consumer<? super ArbiterStatus> listener;
    private final ScheduledExecutorService executor;
    private final CuratorFramework client;
    private final RecordCall.Setting setting;

    /** Calls that are not answered yet. */
    private final Set<RecordCall<?>> open = ConcurrentHashMap.newKeySet();

    private volatile ArbiterStatus status;
    private volatile boolean closed;

    private ZooKeeperArbiter(
            ArbiterChoice.Ensemble ensemble,
            @Nullable ZooKeeperCredential credential,
            Time time,
            Consumer<? super ArbiterStatus> listener) {
        servers = ensemble.servers().stream().map(HostAddress::toString).collect(Collectors.joining(","));
        root = ensemble.root();
        this.time = time;
        this.listener = listener;
        status = new ArbiterStatus(
                ArbiterStatus.State.CONNECTING, time.wallMillis(), "no server of " + servers + " has answered yet");
        executor = Executors.newSingleThreadScheduledExecutor(
                Thread.ofPlatform().daemon().name("arbiter").factory());
        CuratorFrameworkFactory.Builder builder = CuratorFrameworkFactory.builder()
                .connectString(servers)
                .sessionTimeoutMs(SESSION_TIMEOUT_MILLIS)
                .connectionTimeoutMs(CONNECTION_TIMEOUT_MILLIS)
                .retryPolicy(new RetryNTimes(0, 0))
                // The servers are those that were named, not those that the ensemble says it has.
                .ensembleTracker(false)
                .threadFactory(
                        Thread.ofPlatform().daemon().name("arbiter-curator-", 0).factory());
        ZKClientConfig config = new ZKClientConfig();
        // Or each connection would begin with a look-up of the server's name, for a method that is not used.
        config.setProperty(ZKClientConfig.ENABLE_CLIENT_SASL_KEY, "false");
        builder.zkClientConfig(config);
        if (credential != null) {
            builder.authorization("digest", credential.bytes());
        }
        client = builder.build();
        setting = new RecordCall.Setting(
                new CuratorNodes(
                        client,
                        this::execute,
                        credential == null ? ZooDefs.Ids.OPEN_ACL_UNSAFE : ZooDefs.Ids.CREATOR_ALL_ACL),
                (millis, task) -> later(millis, task),
                open::remove);
    }

    /**
     * Begins to connect, and returns at once.
     *
     * @param credential null: what is kept there is open to everybody who reaches the servers
     * @param time for the status
     * @param listener told each change of the status, on the arbiter's thread
     */
    public static ZooKeeperArbiter start(
            ArbiterChoice.Ensemble ensemble,
            @Nullable ZooKeeperCredential credential,
            Time time,
            Consumer<? super ArbiterStatus> listener) {
        ZooKeeperArbiter arbiter = new ZooKeeperArbiter(ensemble, credential, time, listener);
        arbiter.client
                .getConnectionStateListenable()
                .addListener((_, state) -> arbiter.connectionChanged(state), arbiter::execute);
        arbiter.client
                .getUnhandledErrorListenable()
                .addListener((message, e) -> LOG.debug("ZooKeeper's client: {}", message, e));
        arbiter.client.start();
        return arbiter;
    }

    /** As of now; from any thread. */
    public ArbiterStatus status() {
        return status;
    }

    /** The node that holds the record of {@code vm}. */
    public String path(String vm) {
        if (!VM_NAME.matcher(vm).matches()) {
            throw new IllegalArgumentException("'" + vm + "' is not a VM's name: 1 to 40 characters of a-z, 0-9 and -");
        }
        return root + "/vms/" + vm;
    }

    @Override
    public void read(String vm, Consumer<? super ReadOutcome> answer) {
        begin(new ReadCall(setting, new RecordCall.Place(vm, path(vm)), answer));
    }

    @Override
    public void set(
            String vm, @Nullable OwnershipRecord expected, OwnershipRecord next, Consumer<? super SetOutcome> answer) {
        begin(new SetCall(setting, new RecordCall.Place(vm, path(vm)), expected, next, answer));
    }

    private void begin(RecordCall<?> call) {
        open.add(call);
        try {
            execute(() -> {
                if (closed) {
                    call.giveUp("the arbiter's client was closed");
                } else {
                    call.begin();
                }
            });
        } catch (RejectedExecutionException e) {
            call.giveUp("the arbiter's client was closed");
        }
    }

    private void later(int millis, Runnable task) {
        if (!closed) {
            ScheduledFuture<?> _ = executor.schedule(logged(task), millis, TimeUnit.MILLISECONDS);
        }
    }

    private void execute(Runnable task) {
        executor.execute(logged(task));
    }

    /** The executor keeps to itself what a task throws; the call is answered at its limit then. */
    private static Runnable logged(Runnable task) {
        return () -> {
            try {
                task.run();
            } catch (RuntimeException | Error e) {
                LOG.error("a task of the arbiter's client failed", e);
                throw e;
            }
        };
    }

    private void connectionChanged(ConnectionState state) {
        switch (state) {
            case CONNECTED, RECONNECTED -> changeTo(ArbiterStatus.State.CONNECTED, "one of " + servers + " answers");
            case SUSPENDED ->
                changeTo(ArbiterStatus.State.DISCONNECTED, "the connection was lost, trying " + servers + " in turn");
            // Said before already, unless it went unnoticed; what has begun since is another session.
            case LOST ->
                changeTo(ArbiterStatus.State.DISCONNECTED, "the session expired, trying " + servers + " in turn");
            case READ_ONLY ->
                changeTo(ArbiterStatus.State.DISCONNECTED, "the server that answers belongs to no majority");
        }
    }

    private void changeTo(ArbiterStatus.State state, String reason) {
        ArbiterStatus before = status;
        if (closed || before.state() == state) {
            return;
        }
        status = new ArbiterStatus(state, time.wallMillis(), reason);
        listener.accept(status);
    }

    /** May take as long as a session lasts where a server is silent. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        status = new ArbiterStatus(ArbiterStatus.State.CLOSED, time.wallMillis(), "closed");
        execute(() -> Set.copyOf(open).forEach(call -> call.giveUp("the arbiter's client was closed")));
        client.close();
        executor.shutdown();
    }
}
