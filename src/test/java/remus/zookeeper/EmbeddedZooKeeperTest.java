package remus.zookeeper;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static remus.availability.ArbiterContract.ALPHA;
import static remus.availability.ArbiterContract.VM;
import static remus.availability.ArbiterContract.alone;
import static remus.availability.ArbiterContract.read;
import static remus.availability.ArbiterContract.set;

import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import remus.availability.Arbiter;
import remus.availability.Arbiter.ReadOutcome;
import remus.availability.Arbiter.SetOutcome;
import remus.availability.ArbiterContract;
import remus.base.CloseStack;
import remus.base.HostAddress;

/** The arbiter on a server in this process. */
class EmbeddedZooKeeperTest {
    private static final HostAddress ANY_PORT = new HostAddress("127.0.0.1", 0);

    @TempDir
    Path directory;

    private final CloseStack parts = new CloseStack();
    private EmbeddedZooKeeper server;

    @BeforeEach
    void start() throws ArbiterSetUpException {
        server = parts.push(EmbeddedZooKeeper.start(directory.resolve("zk"), ANY_PORT));
    }

    @AfterEach
    void end() {
        parts.close();
    }

    private ArbiterWatch host(@Nullable String secret) {
        return parts.push(ArbiterWatch.start(List.of(server.address()), secret));
    }

    @Nested
    class AsAnArbiter extends ArbiterContract {
        @Override
        protected Arbiter connect() {
            return ArbiterWatch.start(List.of(server.address()), null).arbiter();
        }
    }

    @Nested
    class AsAnArbiterWithACredential extends ArbiterContract {
        @Override
        protected Arbiter connect() {
            return ArbiterWatch.start(List.of(server.address()), "remus:s3cret").arbiter();
        }
    }

    @Test
    @Tag("system")
    void recordsSurviveTheServersRestartAndClientsFindIt() throws Exception {
        ArbiterWatch host = host(null);
        assertEquals(new SetOutcome.Done(), set(host.arbiter(), null, alone(1, ALPHA, "a.1")));
        HostAddress address = server.address();
        server.close();
        host.await(ArbiterStatus.State.DISCONNECTED);
        assertInstanceOf(ReadOutcome.Unavailable.class, read(host.arbiter(), VM));
        server = parts.push(EmbeddedZooKeeper.start(directory.resolve("zk"), address));
        host.await(ArbiterStatus.State.CONNECTED);
        assertEquals(new ReadOutcome.Found(alone(1, ALPHA, "a.1")), read(host.arbiter(), VM));
    }

    @Test
    @Tag("system")
    void aHostStartsBeforeItsArbiter() throws Exception {
        HostAddress address = server.address();
        server.close();
        ArbiterWatch host = parts.push(ArbiterWatch.start(List.of(address), null));
        assertEquals(ArbiterStatus.State.CONNECTING, host.arbiter().status().state());
        assertInstanceOf(SetOutcome.Unknown.class, set(host.arbiter(), null, alone(1, ALPHA, "a.1")));
        server = parts.push(EmbeddedZooKeeper.start(directory.resolve("zk"), address));
        host.await(ArbiterStatus.State.CONNECTED);
        assertEquals(new ReadOutcome.Absent(), read(host.arbiter(), VM));
    }

    @Test
    void withoutTheCredentialARecordCanNeitherBeReadNorChanged() throws Exception {
        ArbiterWatch ours = host("remus:s3cret");
        assertEquals(new SetOutcome.Done(), set(ours.arbiter(), null, alone(1, ALPHA, "a.1")));
        for (ArbiterWatch other : List.of(host(null), host("remus:other"))) {
            String cause = assertInstanceOf(ReadOutcome.Unavailable.class, read(other.arbiter(), VM))
                    .cause();
            assertTrue(cause.contains("credential"), cause);
            SetOutcome outcome = set(other.arbiter(), alone(1, ALPHA, "a.1"), alone(2, ALPHA, "a.2"));
            cause = assertInstanceOf(SetOutcome.Unknown.class, outcome).cause();
            assertTrue(cause.contains("credential"), cause);
        }
        assertEquals(new ReadOutcome.Found(alone(1, ALPHA, "a.1")), read(ours.arbiter(), VM));
    }

    @Test
    void aNodeThatHoldsNoRecordIsShownAndLeftAlone() throws Exception {
        ArbiterWatch host = host(null);
        assertEquals(new SetOutcome.Done(), set(host.arbiter(), null, alone(1, ALPHA, "a.1")));
        try (RawClient raw = new RawClient(server.address())) {
            raw.overwrite(host.arbiter().path(VM), "{\"format\":2}");
        }
        String cause = assertInstanceOf(ReadOutcome.Unavailable.class, read(host.arbiter(), VM))
                .cause();
        assertTrue(cause.contains("/remus/vms/shop") && cause.contains("upgrade"), cause);
        assertInstanceOf(SetOutcome.Unknown.class, set(host.arbiter(), alone(1, ALPHA, "a.1"), alone(2, ALPHA, "a.2")));
    }

    @Test
    void theStatusSaysSinceWhenAndWhy() throws Exception {
        ArbiterWatch host = host(null);
        ArbiterStatus connected = host.await(ArbiterStatus.State.CONNECTED);
        assertTrue(connected.reason().contains(server.address().toString()), connected.reason());
        server.close();
        ArbiterStatus lost = host.await(ArbiterStatus.State.DISCONNECTED);
        assertTrue(lost.sinceWallMillis() >= connected.sinceWallMillis());
        assertTrue(lost.reason().contains("lost"), lost.reason());
        assertEquals(lost, host.arbiter().status());
    }

    @Test
    void aPortThatIsTakenIsNamedAndNothingIsLeftBehind() throws Exception {
        Path other = directory.resolve("other");
        ArbiterSetUpException refused =
                assertThrows(ArbiterSetUpException.class, () -> EmbeddedZooKeeper.start(other, server.address()));
        assertTrue(
                String.valueOf(refused.getMessage()).contains(server.address().toString()), refused.getMessage());
        parts.push(EmbeddedZooKeeper.start(other, ANY_PORT));
    }

    @Test
    void aDirectoryThatCannotBeIsNamed() throws IOException {
        Path file = Files.writeString(directory.resolve("file"), "");
        ArbiterSetUpException refused =
                assertThrows(ArbiterSetUpException.class, () -> EmbeddedZooKeeper.start(file, ANY_PORT));
        assertTrue(String.valueOf(refused.getMessage()).contains(file.toString()), refused.getMessage());
    }

    @Test
    void ofTheFourLetterCommandsOnlySrvrIsAnswered() throws IOException {
        assertTrue(said("srvr").contains("Mode: standalone"));
        for (String command : List.of("envi", "conf", "dump", "wchp", "crst", "ruok")) {
            assertTrue(said(command).contains("not in the whitelist"), said(command));
        }
    }

    private String said(String command) throws IOException {
        try (Socket socket =
                new Socket(server.address().host(), server.address().port())) {
            socket.setSoTimeout(10_000);
            socket.getOutputStream().write(command.getBytes(StandardCharsets.US_ASCII));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
        }
    }

    @Test
    void aCredentialIsReadFromAFileThatOthersCannotRead() throws Exception {
        Path file = Files.writeString(directory.resolve("arbiter.secret"), "remus:s3:cret\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        ZooKeeperCredential credential = ZooKeeperCredential.read(file);
        assertEquals("remus:s3:cret", credential.text());
        assertEquals("remus:(secret)", credential.toString());
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r-----"));
        assertRefused(file, "chmod 600");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        List<String> wrong = new ArrayList<>(List.of("", "remus", ":s3cret", "remus:", "a b:c", "a:b\nc:d"));
        wrong.add("a:" + "b".repeat(ZooKeeperLimits.MAX_CREDENTIAL_CHARS));
        for (String text : wrong) {
            Files.writeString(file, text);
            assertRefused(file, "USER:SECRET");
        }
        assertRefused(directory.resolve("missing"), "missing");
    }

    private static void assertRefused(Path file, String reason) {
        ArbiterSetUpException refused = assertThrows(ArbiterSetUpException.class, () -> ZooKeeperCredential.read(file));
        assertTrue(String.valueOf(refused.getMessage()).contains(reason), refused.getMessage());
        assertTrue(!String.valueOf(refused.getMessage()).contains("s3"), refused.getMessage());
    }

    @Test
    void namesThatWouldLeaveTheirPlaceAreRefused() {
        ArbiterWatch host = host(null);
        for (String vm : List.of("", "a/b", "..", "A", "a".repeat(41))) {
            assertThrows(IllegalArgumentException.class, () -> host.arbiter().read(vm, _ -> {}));
        }
    }
}
