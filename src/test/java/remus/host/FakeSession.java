package remus.host;

import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;
import remus.api.CompressMode;
import remus.api.StandbyMode;
import remus.api.WhenAlone;
import remus.availability.HostId;
import remus.base.ByteSize;
import remus.base.HostAddress;
import remus.base.Invariant;
import remus.base.Term;
import remus.base.Time;
import remus.checkpoint.BackupChannel;
import remus.checkpoint.CheckpointEngine;
import remus.checkpoint.EpochLengths;
import remus.checkpoint.GuestControl;
import remus.checkpoint.PreCopySource;
import remus.checkpoint.StagedPages;
import remus.disk.GuestDisks;

/** Makes a session of a guest without pages or disks, whose channel remembers what is sent and says what a test wants. */
final class FakeSession implements ActiveVm.SessionFactory {
    final ProtectionSettings settings;
    final List<String> sent = new CopyOnWriteArrayList<>();
    private final Agent agent;
    private final Time time;
    private BackupChannel.@Nullable Listener listener;
    private @Nullable SessionOwner owner;

    FakeSession(WhenAlone whenAlone, Agent agent, Time time) {
        settings = new ProtectionSettings(
                List.of("beta"),
                Duration.ofMillis(25),
                20,
                Duration.ofMillis(400),
                whenAlone,
                true,
                0,
                new ByteSize(0),
                StandbyMode.WARM,
                CompressMode.AUTO);
        this.agent = agent;
        this.time = time;
    }

    @Override
    public HostAddress backup() {
        return new HostAddress("127.0.0.1", 9); // nobody is asked there
    }

    @Override
    public HostId backupId() {
        return new HostId("beta");
    }

    @Override
    public String why() {
        return "by command";
    }

    /** Whoever learns what becomes of the session. */
    SessionOwner owner() {
        return Invariant.present(owner, "the session");
    }

    /** What the backup says is said here. */
    BackupChannel.Listener channel() {
        return Invariant.present(listener, "the session");
    }

    @Override
    public ProtectionSession create(Term term, SessionOwner learns) {
        owner = learns;
        return new ProtectionSession(
                new SessionPlan(term, backup(), settings, null),
                new CheckpointEngine.Settings(EpochLengths.fixed(25_000_000), 1 << 20, 4096, 1 << 20),
                new ProtectionSession.Parts(
                        new Guest(),
                        new NoPages(),
                        List.of(),
                        new VmDisks("shop", List.of(), GuestDisks.Mode.OPEN, time),
                        this::listening,
                        realTime -> {},
                        () -> {},
                        () -> {}),
                learns,
                agent,
                time);
    }

    private BackupChannel listening(BackupChannel.Listener told) {
        listener = told;
        return (BackupChannel) Proxy.newProxyInstance(
                BackupChannel.class.getClassLoader(), new Class<?>[] {BackupChannel.class}, (proxy, method, args) -> {
                    boolean counts = method.getReturnType().equals(long.class);
                    if (!counts) {
                        sent.add(method.getName());
                    }
                    return counts ? 0L : null;
                });
    }

    private static final class Guest implements GuestControl {
        @Override
        public void suspendAndSave() {}

        @Override
        public void resume() {}
    }

    private static final class NoPages implements PreCopySource {
        @Override
        public long beginRound() {
            return 0;
        }

        @Override
        public boolean copyChunk(StagedPages chunk, int maxPages) {
            return false;
        }
    }
}
