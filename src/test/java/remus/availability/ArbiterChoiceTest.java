package remus.availability;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import remus.availability.ArbiterChoice.Embedded;
import remus.availability.ArbiterChoice.Ensemble;
import remus.availability.ArbiterChoice.None;
import remus.base.HostAddress;

class ArbiterChoiceTest {
    @Test
    void whatIsWrittenIsWhatIsMeant() {
        assertEquals(new None(), ArbiterChoice.parse("none"));
        assertEquals(new Embedded(new HostAddress("127.0.0.1", 0)), ArbiterChoice.parse("embedded"));
        assertEquals(new Embedded(new HostAddress("127.0.0.1", 2181)), ArbiterChoice.parse("embedded:2181"));
        assertEquals(new Embedded(new HostAddress("192.0.2.1", 2181)), ArbiterChoice.parse("embedded:192.0.2.1:2181"));
        assertEquals(
                new Ensemble(List.of(new HostAddress("zk1", 2181)), "/remus"), ArbiterChoice.parse("zookeeper:zk1"));
        assertEquals(
                new Ensemble(
                        List.of(new HostAddress("zk1", 2281), new HostAddress("2001:db8::7", 2181)), "/prod/remus"),
                ArbiterChoice.parse("zookeeper:zk1:2281,[2001:db8::7]:2181/prod/remus"));
    }

    @Test
    void aChoiceReadsAsItIsWritten() {
        for (String text : List.of("none", "embedded:127.0.0.1:2181", "zookeeper:zk1:2181,[2001:db8::7]:2181/prod")) {
            assertEquals(text, ArbiterChoice.parse(text).toString());
        }
    }

    @Test
    void whatIsNoChoiceIsRefusedWithTheReasonAndTheForm() {
        assertRefused("", "none of the three kinds");
        assertRefused("None", "none of the three kinds");
        assertRefused("etcd:a:1", "none of the three kinds");
        assertRefused("none:", "takes no address");
        assertRefused("embedded:", "not an address");
        assertRefused("embedded:70000", "70000");
        assertRefused("embedded:a:b:c", "not an address");
        assertRefused("zookeeper", "names no server");
        assertRefused("zookeeper:", "names no server");
        assertRefused("zookeeper:/remus", "names no server");
        assertRefused("zookeeper:zk1:0", "port 0");
        assertRefused("zookeeper:zk1:2181,", "not an address");
        assertRefused("zookeeper:zk1;zk2:99999", "99999");
        assertRefused("zookeeper:zk1,zk1:2181", "twice");
        assertRefused("zookeeper:zk1/", "'/'");
        assertRefused("zookeeper:zk1/a/", "'/a/'");
        assertRefused("zookeeper:zk1/a/../b", "'/a/../b'");
        assertRefused("zookeeper:zk1/zookeeper/x", "servers' own");
        assertRefused("zookeeper:" + "a,".repeat(20) + "b", "twice");
    }

    private static void assertRefused(String text, String reason) {
        IllegalArgumentException refused =
                assertThrows(IllegalArgumentException.class, () -> ArbiterChoice.parse(text));
        String message = String.valueOf(refused.getMessage());
        assertTrue(message.contains(reason), message);
        assertTrue(message.contains("zookeeper:HOST:PORT"), message);
    }
}
