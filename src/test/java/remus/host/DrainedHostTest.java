package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import remus.base.HostAddress;
import remus.base.Term;
import remus.host.HostDrain.Whereabouts;
import remus.replication.PeerAnswer;
import remus.wire.OwnerAnswer;
import remus.wire.OwnerState;

/** What is made of the answers of hosts that have VMs of a host that is being drained. */
class DrainedHostTest {
    private static Whereabouts judge(OwnerState state, boolean hasOthers) {
        return judge(new PeerAnswer.Answered(new OwnerAnswer("shop", "beta", state, new Term(3), "")), hasOthers);
    }

    private static Whereabouts judge(PeerAnswer answer, boolean hasOthers) {
        return DrainedHost.judge(answer, "shop", new HostAddress("192.0.2.2", 7420), hasOthers);
    }

    @Test
    void aVmThatIsProtectedThereIsNotWaitedFor() {
        assertEquals(new Whereabouts(true, "it is protected there"), judge(OwnerState.RUNNING_PROTECTED, false));
    }

    @ParameterizedTest
    @EnumSource(names = {"RUNNING_ALONE", "RUNNING_UNCERTAIN", "ACTIVATING", "STANDBY"})
    void aVmThatRunsThereUnprotectedIsWaitedForWhereAThirdHostMayBackItUp(OwnerState state) {
        assertEquals(
                new Whereabouts(false, "it is not protected there yet, see remus status shop on 192.0.2.2:7420"),
                judge(state, true));
        Whereabouts ofTwoHosts = judge(state, false);
        assertTrue(ofTwoHosts.settled());
        assertEquals("it has no backup there until this host is back: no other is named", ofTwoHosts.text());
    }

    @Test
    void aVmThatWasStoppedThereIsOver() {
        assertEquals(new Whereabouts(true, "it was stopped there"), judge(OwnerState.STOPPED, true));
    }

    @Test
    void whoDoesNotHaveItOrDoesNotAnswerIsAskedAgain() {
        assertFalse(judge(OwnerState.FENCED, false).settled());
        assertFalse(judge(OwnerState.UNKNOWN, true).settled());
        Whereabouts refused = judge(new PeerAnswer.Refused("192.0.2.2:7420: Connection refused"), true);
        assertEquals(new Whereabouts(false, "it can't be asked for: 192.0.2.2:7420: Connection refused"), refused);
        assertFalse(judge(new PeerAnswer.Unreachable("192.0.2.2:7420: no route"), false)
                .settled());
    }
}
