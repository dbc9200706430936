package remus.zookeeper;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static remus.availability.ArbiterContract.ALPHA;
import static remus.availability.ArbiterContract.BETA;
import static remus.availability.ArbiterContract.VM;
import static remus.availability.ArbiterContract.alone;
import static remus.availability.ArbiterContract.asked;
import static remus.availability.ArbiterContract.read;
import static remus.availability.ArbiterContract.set;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import remus.availability.Arbiter.ReadOutcome.Found;
import remus.availability.Arbiter.SetOutcome;
import remus.availability.Arbiter.SetOutcome.Done;
import remus.availability.Arbiter.SetOutcome.Refused;
import remus.availability.Arbiter.SetOutcome.Unknown;
import remus.availability.OwnershipRecord;
import remus.base.CloseStack;
import remus.base.HostAddress;
import remus.zookeeper.ZooKeeperProxy.Loss;

/** Connections that break in the worst moment, on purpose. Alpha goes through a proxy, beta does not. */
@Tag("system")
class LostReplySystemTest {
    private static final OwnershipRecord FIRST = alone(1, ALPHA, "a.1");
    private static final OwnershipRecord SECOND = alone(2, ALPHA, "a.2");
    private static final OwnershipRecord BETAS = alone(2, BETA, "b.1");

    @TempDir
    Path directory;

    private final CloseStack parts = new CloseStack();
    private ZooKeeperProxy proxy;
    private ZooKeeperArbiter alpha;
    private ZooKeeperArbiter beta;

    @BeforeEach
    void start() throws Exception {
        HostAddress server = parts.push(EmbeddedZooKeeper.start(directory, new HostAddress("127.0.0.1", 0)))
                .address();
        proxy = parts.push(new ZooKeeperProxy(server));
        alpha = parts.push(ArbiterWatch.start(List.of(proxy.address()), null)).arbiter();
        beta = parts.push(ArbiterWatch.start(List.of(server), null)).arbiter();
    }

    @AfterEach
    void end() {
        parts.close();
    }

    private static SetOutcome answer(CompletableFuture<SetOutcome> asked) throws Exception {
        return asked.get(ArbiterWatch.WAIT_SECONDS, TimeUnit.SECONDS);
    }

    @Test
    void aSetWhoseReplyWasLostIsRecognisedByItsRequest() throws Exception {
        assertEquals(new Done(), set(alpha, null, FIRST));
        proxy.loseNextSet(Loss.REPLY);
        CompletableFuture<SetOutcome> asked = asked(alpha, FIRST, SECOND);
        proxy.awaitLoss();
        assertEquals(new Found(SECOND), read(beta, VM), "it had taken effect");
        proxy.open();
        assertEquals(new Done(), answer(asked));
        assertEquals(new Done(), set(beta, SECOND, alone(3, BETA, "b.1")), "and did so once");
    }

    @Test
    void aCreationWhoseReplyWasLostIsRecognisedByItsRequest() throws Exception {
        // The first creation is that of a node above.
        assertEquals(new Refused(null), set(alpha, FIRST, SECOND));
        proxy.loseNextCreate(Loss.REPLY);
        CompletableFuture<SetOutcome> asked = asked(alpha, null, FIRST);
        proxy.awaitLoss();
        proxy.open();
        assertEquals(new Done(), answer(asked));
        proxy.loseNextCreate(Loss.REPLY);
        CompletableFuture<SetOutcome> other = new CompletableFuture<>();
        alpha.set("other", null, FIRST, other::complete);
        proxy.awaitLoss();
        proxy.open();
        assertEquals(new Done(), answer(other));
        assertEquals(new Found(FIRST), read(beta, VM));
        assertEquals(new Found(FIRST), read(beta, "other"));
    }

    @Test
    void aSetThatWasLostItselfIsMadeAgain() throws Exception {
        assertEquals(new Done(), set(alpha, null, FIRST));
        proxy.loseNextSet(Loss.REQUEST);
        CompletableFuture<SetOutcome> asked = asked(alpha, FIRST, SECOND);
        proxy.awaitLoss();
        assertEquals(new Found(FIRST), read(beta, VM));
        proxy.open();
        assertEquals(new Done(), answer(asked));
        assertEquals(new Found(SECOND), read(beta, VM));
    }

    @Test
    void whereAnotherRecordCameInsteadItIsRefused() throws Exception {
        assertEquals(new Done(), set(alpha, null, FIRST));
        proxy.loseNextSet(Loss.REQUEST);
        CompletableFuture<SetOutcome> asked = asked(alpha, FIRST, SECOND);
        proxy.awaitLoss();
        assertEquals(new Done(), set(beta, FIRST, BETAS));
        proxy.open();
        assertEquals(new Refused(BETAS), answer(asked));
    }

    /** It did take effect, was overwritten at once, and nothing is left to tell. */
    @Test
    void whereTheRecordHasChangedFurtherItStaysUnknown() throws Exception {
        assertEquals(new Done(), set(alpha, null, FIRST));
        proxy.loseNextSet(Loss.REPLY);
        CompletableFuture<SetOutcome> asked = asked(alpha, FIRST, SECOND);
        proxy.awaitLoss();
        assertEquals(new Done(), set(beta, SECOND, alone(3, BETA, "b.1")));
        proxy.open();
        assertInstanceOf(Unknown.class, answer(asked));
        assertEquals(new Found(alone(3, BETA, "b.1")), read(alpha, VM));
    }

    @Test
    void aSetThatNobodyAnswersIsUnknownAndMayBeAskedAgain() throws Exception {
        assertEquals(new Done(), set(alpha, null, FIRST));
        proxy.loseNextSet(Loss.REPLY);
        assertInstanceOf(Unknown.class, set(alpha, FIRST, SECOND));
        proxy.open();
        assertEquals(new Done(), set(alpha, FIRST, SECOND), "the same request again");
        assertEquals(new Found(SECOND), read(beta, VM));
    }
}
