package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.base.ByteSize;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.DiskOperation;
import remus.disk.ImageMarker;
import remus.disk.RawImage;
import remus.disk.ReplicaDisk;
import remus.disk.StandbyDisks;
import remus.linux.BootTime;
import remus.qemu.Accelerator;
import remus.qemu.MachineType;
import remus.qemu.VmDefinition;
import remus.replication.BackupConnection;
import remus.replication.PeerQuery;
import remus.replication.ReplicationServer;
import remus.replication.SessionHandler;
import remus.wire.Hello;
import remus.wire.OwnerAnswer;
import remus.wire.OwnerState;

/** Which images may be started: the other host is a real server that answers as the test says. */
@Timeout(30)
class ImageOwnershipTest {
    private static final Term SESSION = new Term(3);

    @TempDir
    private Path directory;

    private final AtomicReference<OwnerState> said = new AtomicReference<>(OwnerState.UNKNOWN);
    private final AtomicReference<Term> saidTerm = new AtomicReference<>(SESSION);
    private final BootTime time = new BootTime();
    private ReplicationServer peer;
    private StateDirectory state;
    private ImageOwnership ownership;
    private Path image;

    @BeforeEach
    void open() throws Exception {
        peer = ReplicationServer.open(new HostAddress("127.0.0.1", 0), new Peer(), time);
        state = StateDirectory.open(directory.resolve("state"));
        ownership = new ImageOwnership("alpha", state, new PeerQuery(time));
        image = directory.resolve("root.raw");
        RawImage.create(image, 1 << 20).close();
    }

    @AfterEach
    void close() throws Exception {
        state.close();
        peer.close();
    }

    /** Knows the VM shop only. */
    private final class Peer implements SessionHandler {
        @Override
        public void session(Hello hello, BackupConnection connection) {
            connection.close();
        }

        @Override
        public remus.wire.HostAnswer host() {
            throw new IllegalStateException("not asked here");
        }

        @Override
        public OwnerAnswer answer(String vm) {
            return vm.equals("shop")
                    ? new OwnerAnswer(vm, "beta", said.get(), saidTerm.get(), "")
                    : new OwnerAnswer(vm, "beta", OwnerState.UNKNOWN, Term.NONE, "no such VM here");
        }

        @Override
        public OwnerAnswer fence(String vm, Term term) {
            return answer(vm);
        }
    }

    private void mark(ImageMarker.Role role, HostAddress address) throws Exception {
        boolean isCopy = role == ImageMarker.Role.SYNCHRONIZING || role == ImageMarker.Role.STANDBY;
        Path log = isCopy ? state.redoLog("shop") : null;
        new ImageMarker(
                        "shop",
                        "root",
                        "alpha",
                        SESSION,
                        role,
                        new ImageMarker.Peer(address.host(), address),
                        log,
                        Instant.EPOCH)
                .write(image);
    }

    private VmDefinition vm(String name) {
        return new VmDefinition(
                name,
                MachineType.Q35,
                1,
                new ByteSize(64 << 20),
                Accelerator.TCG,
                "max",
                null,
                List.of(new VmDefinition.Disk("root", image)),
                List.of(),
                null);
    }

    private void expectRefusal(String vm, boolean forceStale, String... parts) {
        String message =
                String.valueOf(assertThrows(OperationException.class, () -> ownership.requireNewest(vm(vm), forceStale))
                        .getMessage());
        for (String part : parts) {
            assertTrue(message.contains(part), () -> message + " lacks " + part);
        }
    }

    @Test
    void anImageWithoutAMarkerIsTheNewest() throws Exception {
        assertEquals(Term.NONE, ownership.requireNewest(vm("shop"), false));
    }

    @Test
    void whatTheOtherHostRunsIsNotStartedHereUnderWhateverName() throws Exception {
        mark(ImageMarker.Role.PROTECTED, peer.address());
        said.set(OwnerState.RUNNING_ALONE);
        expectRefusal("shop", false, "disk root", peer.address().toString(), "RUNNING_ALONE", "--force-stale");
        expectRefusal("other", false, "disk root", peer.address().toString(), "RUNNING_ALONE");
        assertEquals(SESSION, ownership.requireNewest(vm("other"), true));
    }

    @Test
    void whatTheOtherHostHasNeverTakenOverIsStarted() throws Exception {
        mark(ImageMarker.Role.PROTECTED, peer.address());
        assertEquals(SESSION, ownership.requireNewest(vm("shop"), false));
        saidTerm.set(SESSION.next());
        expectRefusal("shop", false, "had the VM later, in term 4");
    }

    @Test
    void anImageThatBothHostsSeeIsTheNewestUnlessTheOtherHostRunsItsVm() throws Exception {
        mark(ImageMarker.Role.MOVING, peer.address());
        saidTerm.set(SESSION.next().next());
        assertEquals(SESSION, ownership.requireNewest(vm("shop"), false));
        said.set(OwnerState.STOPPED);
        assertEquals(SESSION, ownership.requireNewest(vm("shop"), false));
        said.set(OwnerState.RUNNING_ALONE);
        expectRefusal("shop", false, "may run VM shop with this very image", "RUNNING_ALONE", "--force-stale");
        said.set(OwnerState.STANDBY);
        expectRefusal("shop", false, "may run VM shop with this very image");
        peer.close();
        expectRefusal("shop", false, "does not answer");
        assertEquals(SESSION, ownership.requireNewest(vm("shop"), true));
    }

    /** That this host has taken the VM over since says nothing for an image that another host ran it with. */
    @Test
    void whatAnotherHostHasMarkedIsNotThisHostsForItHasTakenTheVmOver() throws Exception {
        new ImageMarker(
                        "shop",
                        "root",
                        "beta",
                        SESSION,
                        ImageMarker.Role.PROTECTED,
                        new ImageMarker.Peer("alpha", peer.address()),
                        null,
                        Instant.EPOCH)
                .write(image);
        state.note("shop", SESSION.next(), true);
        saidTerm.set(SESSION.next());
        expectRefusal("shop", false, "had the VM later");
    }

    @Test
    void silenceIsNoConsent() throws Exception {
        peer.close();
        mark(ImageMarker.Role.PROTECTED, peer.address());
        expectRefusal("shop", false, peer.address().toString(), "does not answer", "--force-stale");
        assertEquals(SESSION, ownership.requireNewest(vm("shop"), true));
    }

    @Test
    void aCopyThatNeverWasWholeIsNotStartedByAnyWord() throws Exception {
        mark(ImageMarker.Role.SYNCHRONIZING, peer.address());
        expectRefusal("shop", false, "no whole image");
        expectRefusal("shop", true, "no whole image", "protect the VM by this host again");
    }

    /** A session that has received one checkpoint of the disk, all of it {@code value}, and was killed. */
    private void receiveCheckpoint(Term session, int value) throws Exception {
        StandbyDisks.Listener nobody = new StandbyDisks.Listener() {
            @Override
            public void consistent(EpochId base) {}

            @Override
            public void logged(EpochId last) {}

            @Override
            public void progressed() {}

            @Override
            public void failed(CheckpointException why) {
                throw new AssertionError(why);
            }
        };
        Files.createDirectories(state.redoLog("shop").getParent());
        try (Arena arena = Arena.ofConfined();
                RawImage copy = RawImage.open(image);
                StandbyDisks disks = StandbyDisks.open(
                        state.redoLog("shop"), "shop", session, List.of(new ReplicaDisk("root", copy)), time, nobody)) {
            disks.whole(new EpochId(1));
            disks.receive(
                    new EpochId(2),
                    0,
                    DiskOperation.WRITE,
                    0,
                    512,
                    arena.allocate(512).fill((byte) value),
                    0);
            disks.whole(new EpochId(2));
            disks.finishApplying();
        }
    }

    @Test
    void aCopyThatIsWholeByItsLogIsStartedThoughItsMarkerDoesNotSaySoYet() throws Exception {
        mark(ImageMarker.Role.SYNCHRONIZING, peer.address());
        receiveCheckpoint(SESSION, 7);
        // What the crash has kept from the image is in the log.
        try (RawImage copy = RawImage.open(image)) {
            copy.trim(0, 512);
        }
        said.set(OwnerState.RUNNING_ALONE);
        expectRefusal("shop", false, "RUNNING_ALONE");
        said.set(OwnerState.UNKNOWN);
        assertEquals(SESSION, ownership.requireNewest(vm("shop"), false));
        assertEquals(7, Files.readAllBytes(image)[511]);
    }

    @Test
    void theLogOfAnotherSessionSaysNothingOfACopy() throws Exception {
        receiveCheckpoint(new Term(2), 7);
        mark(ImageMarker.Role.SYNCHRONIZING, peer.address());
        expectRefusal("shop", true, "no whole image");
    }

    @Test
    void aTakeOverOnRecordCountsMoreThanWhatItLeftBeside() throws Exception {
        mark(ImageMarker.Role.STANDBY, peer.address());
        said.set(OwnerState.FENCED);
        expectRefusal("shop", false, "FENCED");
        // Its log is removed before its marker, by a host that may die in between.
        expectRefusal("shop", true, "the last writes can't be brought into");
        state.note("shop", SESSION.next(), true);
        assertEquals(SESSION, ownership.requireNewest(vm("shop"), false));
    }

    @Test
    void aTakeOverRemovesTheMarkersOfItsOwnSessionOnly() throws Exception {
        mark(ImageMarker.Role.STANDBY, peer.address());
        ownership.retire(List.of(image), SESSION);
        assertTrue(ImageMarker.read(image).isEmpty());
        ownership.notePeer(vm("shop"), SESSION.next(), peer.address(), false);
        ownership.retire(List.of(image), SESSION);
        assertEquals(
                ImageMarker.Role.PROTECTED,
                ImageMarker.read(image).orElseThrow().role());
    }
}
