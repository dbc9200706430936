package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.Draining;
import remus.api.StandbyMode;
import remus.base.HostAddress;
import remus.base.Term;
import remus.checkpoint.BackupChannel;
import remus.qemu.Accelerator;
import remus.qemu.MachineType;
import remus.qemu.VmDefinition;
import remus.replication.BackupConnection;
import remus.replication.Compression;
import remus.replication.PrimaryChannel;
import remus.replication.PrimaryChannelSettings;
import remus.replication.ReplicationServer;
import remus.replication.SessionHandler;
import remus.wire.Digest;
import remus.wire.Hello;
import remus.wire.HelloFile;
import remus.wire.HostAnswer;
import remus.wire.OwnerAnswer;

/** Which sessions a host takes, over real connections on the loopback interface. There is no QEMU: nothing gets that far. */
@Timeout(60)
@SuppressWarnings("NullAway.Init") // begin
class BackupServiceTest {
    private static final Term SESSION = new Term(2);

    @TempDir
    private Path directory;

    /** What channels were told. */
    private final BlockingQueue<String> told = new LinkedBlockingQueue<>();

    /** That long a primary takes for the file that the backup lacks. */
    private final CountDownLatch over = new CountDownLatch(1);

    private final BlockingQueue<BackupConnection> arrived = new LinkedBlockingQueue<>();
    private QuietHost host;
    private BackupService service;
    private ReplicationServer server;

    /** Null: hellos are kept until the test does something with them. */
    private volatile @Nullable BackupService answering;

    @BeforeEach
    void begin() throws Exception {
        host = new QuietHost(directory, null);
        service = new BackupService(host.services, new NoFacts());
        server = ReplicationServer.open(new HostAddress("127.0.0.1", 0), new Door(), host.time);
    }

    @AfterEach
    void close() {
        over.countDown();
        server.close();
        host.close();
    }

    private final class Door implements SessionHandler {
        @Override
        public void session(Hello hello, BackupConnection connection) {
            BackupService answers = answering;
            if (answers == null) {
                arrived.add(connection);
            } else {
                answers.session(hello, connection);
            }
        }

        @Override
        public HostAnswer host() {
            throw new UnsupportedOperationException();
        }

        @Override
        public OwnerAnswer answer(String vm) {
            throw new UnsupportedOperationException();
        }

        @Override
        public OwnerAnswer fence(String vm, Term term) {
            throw new UnsupportedOperationException();
        }
    }

    private final class EndlessFile implements ReadableByteChannel {
        @Override
        public int read(ByteBuffer target) throws IOException {
            try {
                over.await();
            } catch (InterruptedException e) {
                throw new IOException(e);
            }
            return -1;
        }

        @Override
        public boolean isOpen() {
            return true;
        }

        @Override
        public void close() {}
    }

    private static class NoFacts implements HostFacts {
        @Override
        public Accelerator automaticAccelerator() {
            return Accelerator.TCG;
        }

        @Override
        public boolean hasKvm() {
            return false;
        }

        @Override
        public boolean hasBridge(String name) {
            return false;
        }
    }

    private static Hello hello() {
        return hello(QuietHost.definition("shop"));
    }

    private static Hello hello(VmDefinition definition) {
        return new Hello(
                Hello.Mode.NEW,
                "shop",
                "gamma",
                new HostAddress("127.0.0.1", 9), // nobody is asked there
                MachineType.Q35.versionedName(),
                "7.2.22",
                2 << 20,
                4096,
                Duration.ofMillis(25),
                Duration.ofMillis(400),
                0,
                SharedDefinition.of(definition, ProtectionSettings.DEFAULTS, null)
                        .encode(),
                // It never comes, so that no session comes to need a QEMU.
                List.of(new HelloFile(SharedDefinition.KERNEL, 1 << 20, Digest.of(new byte[32]))),
                List.of());
    }

    private PrimaryChannel primary() {
        return primary(hello());
    }

    private PrimaryChannel primary(Hello hello) {
        BackupChannel.Listener listener = (BackupChannel.Listener) Proxy.newProxyInstance(
                BackupChannel.Listener.class.getClassLoader(),
                new Class<?>[] {BackupChannel.Listener.class},
                (proxy, method, args) -> {
                    told.add(method.getName() + ": " + args[0]);
                    return null;
                });
        PrimaryChannel channel = new PrimaryChannel(
                new PrimaryChannelSettings(
                        server.address(),
                        QuietHost.NAME,
                        hello,
                        SESSION,
                        name -> new EndlessFile(),
                        Compression.NEVER,
                        PrimaryChannelSettings.Limits.forDetection(Duration.ofMillis(400))),
                listener,
                host.time);
        channel.open();
        return channel;
    }

    private BackupConnection nextArrived() throws InterruptedException {
        return Objects.requireNonNull(arrived.poll(20, TimeUnit.SECONDS), "no hello came");
    }

    private static void await(BooleanSupplier condition, String what) {
        long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("not so within 20 s: " + what);
            }
            java.util.concurrent.locks.LockSupport.parkNanos(1_000_000);
        }
    }

    private @Nullable HostedVm present() {
        return host.services.registry().find("shop");
    }

    @Test
    void aHelloWhoseConnectionHasEndedMakesNoSessionAndEndsNone() throws Exception {
        BackupConnection gone;
        try (PrimaryChannel _ = primary()) {
            gone = nextArrived();
        }
        service.session(gone.hello(), gone);
        assertFalse(gone.isOpen());
        assertNull(present());

        try (PrimaryChannel _ = primary()) {
            StandbyVm later = new StandbyVm(host.services, nextArrived(), SharedDefinitionTest.shop(StandbyMode.WARM));
            host.services.registry().addUnlessInUse(later);
            try (PrimaryChannel _ = primary()) {
                gone = nextArrived();
            }
            service.session(gone.hello(), gone);
            assertFalse(gone.isOpen());
            assertSame(later, present());
            assertFalse(later.hasEnded());
            end(later);
        }
    }

    /** Which bridges there are is asked while a session is being admitted. */
    @Test
    void aHostIsNotSaidToBeEmptyWhileASessionIsBeingAdmitted() throws Exception {
        HostDrain drain = host.services.drain();
        drain.serve(new NoVms(), Runnable::run);
        BlockingQueue<Boolean> done = new LinkedBlockingQueue<>();
        BackupService drained = new BackupService(host.services, new NoFacts() {
            @Override
            public boolean hasBridge(String name) {
                drain.begin();
                drain.look(host.time.nanos());
                done.add(Objects.requireNonNull(drain.status()).done());
                return false;
            }
        });
        VmDefinition bridged = QuietHost.definition("shop", new VmDefinition.Nic("52:54:00:12:34:56", "br0"));
        try (PrimaryChannel _ = primary(hello(bridged))) {
            BackupConnection connection = nextArrived();
            drained.session(connection.hello(), connection);
            assertEquals(false, done.poll(), "it was asked, and not done");
            drain.look(host.time.nanos());
            assertEquals(new Draining(true, List.of()), drain.status());
        }
        try (PrimaryChannel _ = primary()) {
            BackupConnection late = nextArrived();
            drained.session(late.hello(), late);
            await(() -> told.stream().anyMatch(word -> word.contains("is being drained")), "it is refused");
        }
        assertNull(present());
    }

    @Test
    void aStandbysQemuIsSpokenForUntilItIsThere() throws Exception {
        try (PrimaryChannel _ = primary()) {
            SharedDefinition shop = SharedDefinitionTest.shop(StandbyMode.WARM);
            StandbyVm standby = new StandbyVm(host.services, nextArrived(), shop);
            host.services.registry().addUnlessInUse(standby);
            MemoryNeed need = MemoryNeed.ofStandby(hello(), shop);
            assertEquals(
                    need.total().bytes(),
                    host.services.registry().memoryBytes()
                            + host.services.registry().stagingBytes());
            end(standby);
            assertEquals(0, host.services.registry().stagingBytes());
        }
    }

    /** As its agent would. */
    private static void end(StandbyVm standby) throws InterruptedException {
        var _ = standby.shutdown("the test is over");
        Thread agent = Thread.ofPlatform().start(standby::run);
        agent.join();
    }

    @Test
    void aHelloThatIsSaidAgainWaitsForTheFirstOnesSessionToEnd() throws Exception {
        BackupConnection former;
        try (PrimaryChannel _ = primary()) {
            former = nextArrived();
        }
        StandbyVm first = new StandbyVm(host.services, former, SharedDefinitionTest.shop(StandbyMode.WARM));
        host.services.registry().addUnlessInUse(first);
        answering = service;
        try (PrimaryChannel _ = primary()) {
            // The first one's agent waits for a disk.
            String answer = Objects.requireNonNull(told.poll(20, TimeUnit.SECONDS));
            assertEquals(
                    "disconnected: the backup refuses to go on (BUSY): "
                            + "an earlier session of VM shop has yet to end on host alpha",
                    answer);
            Thread agent = Thread.ofPlatform().start(first::run);
            await(() -> present() != first && present() != null, "the second session has its place");
            agent.join();
            assertInstanceOf(StandbyVm.class, present());
            assertFalse(told.stream().anyMatch(word -> word.startsWith("refused")), told.toString());
        }
        await(() -> present() == null, "its session ends with its connection");
    }

    @Test
    void aPrimaryThatReturnsBeforeItsFirstCheckpointIsWholeIsRefusedOnlyWhenNothingCanBecomeOfThat() throws Exception {
        try (PrimaryChannel _ = primary()) {
            BackupConnection former = nextArrived();
            StandbyVm standby = new StandbyVm(host.services, former, SharedDefinitionTest.shop(StandbyMode.WARM));
            try (PrimaryChannel _ = primary()) {
                BackupConnection next = nextArrived();
                BlockingQueue<Boolean> hadEnded = new LinkedBlockingQueue<>();
                standby.resume(next, refused -> hadEnded.add(standby.hasEnded() && !former.isOpen()));
                Thread agent = Thread.ofPlatform().start(standby::run);
                assertEquals(true, hadEnded.poll(20, TimeUnit.SECONDS), "the primary may go on alone from here on");
                agent.join();
                next.close();
            }
        }
    }
}
