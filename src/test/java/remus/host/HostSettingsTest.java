package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import remus.availability.ArbiterChoice;
import remus.base.HostAddress;

class HostSettingsTest {
    private static final Path BASE = Path.of("/etc/remus");
    private static final HostSettings NOTHING =
            new HostSettings(null, null, null, null, null, null, null, null, Map.of());

    @Test
    void aFileHasTheKeysOfTheOptions() throws Exception {
        HostConfiguration configuration = HostSettings.parse("""
                        name: alpha
                        listen: 192.0.2.1:7000
                        api: 127.0.0.1
                        state: alpha.state
                        arbiter: zookeeper:zk1
                        keepVms: true
                        realTime: false
                        arbiterCredential: zk.secret
                        peers: {beta: "192.0.2.2:7420", gamma: "[2001:db8::7]:99"}
                        """, BASE).complete();
        assertEquals(
                new HostConfiguration(
                        "alpha",
                        new HostAddress("192.0.2.1", 7000),
                        new HostAddress("127.0.0.1", 7421),
                        Path.of("/etc/remus/alpha.state"),
                        new ArbiterChoice.Ensemble(List.of(new HostAddress("zk1", 2181)), "/remus"),
                        Path.of("/etc/remus/zk.secret"),
                        true,
                        false,
                        Map.of(
                                "beta",
                                new HostAddress("192.0.2.2", 7420),
                                "gamma",
                                new HostAddress("2001:db8::7", 99))),
                configuration);
    }

    @Test
    void theCommandLineGoesBeforeTheFile() throws Exception {
        HostSettings file = HostSettings.parse("name: alpha\nlisten: 192.0.2.1:7000\nstate: /a\n", BASE);
        HostSettings flags = new HostSettings("omega", null, null, Path.of("/b"), null, null, null, false, Map.of());
        HostConfiguration both = flags.orElse(file).complete();
        assertEquals("omega", both.name());
        assertEquals(7000, both.listen().port());
        assertEquals(Path.of("/b"), both.state());
        assertEquals(HostConfiguration.DEFAULT_API, both.api());
        assertFalse(both.realTime());
        assertTrue(file.complete().realTime());
    }

    @Test
    void nameAndStateMustBeGiven() throws Exception {
        String name = String.valueOf(
                assertThrows(OperationException.class, NOTHING::complete).getMessage());
        assertTrue(name.contains("--name NAME"), name);
        HostSettings named = HostSettings.parse("name: alpha", BASE);
        String state = String.valueOf(
                assertThrows(OperationException.class, named::complete).getMessage());
        assertTrue(state.contains("--state DIR"), state);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            name: Alpha              | name: 'Alpha' is not a name
            listen: "1.2.3.4:x"      | listen: '1.2.3.4:x' is not an address
            api: "127.0.0.1:70000"   | api: '127.0.0.1:70000' is not an address
            arbiter: zk              | arbiter: 'zk' is not an arbiter
            peers: [beta]            | peers: '["beta"]' is not a mapping
            peers: {BETA: "a:1"}     | peers.BETA: is not a host's name
            peers: {beta: "a:b"}     | peers.beta: 'a:b' is not an address
            color: red               | color: unknown key: the keys here are api, arbiter, arbiterCredential, keepVms, listen, name, peers, realTime, state
            """)
    void wrongValuesAreRefusedByName(String yaml, String expected) {
        String message = String.valueOf(assertThrows(OperationException.class, () -> HostSettings.parse(yaml, BASE))
                .getMessage());
        assertTrue(message.startsWith("host configuration: ") && message.contains(expected), message);
    }

    @Test
    void backupsAreFoundByNameOrAddress() throws Exception {
        HostConfiguration alpha = HostSettings.parse("name: alpha\nstate: /a\npeers: {beta: \"192.0.2.2:9\"}", BASE)
                .complete();
        assertEquals(new HostAddress("192.0.2.2", 9), alpha.peerAddress("beta"));
        assertEquals(new HostAddress("198.51.100.1", 7420), alpha.peerAddress("198.51.100.1"));
        assertEquals(new HostAddress("gamma", 7), alpha.peerAddress("gamma:7"));
        String message = String.valueOf(assertThrows(OperationException.class, () -> alpha.peerAddress("bet"))
                .getMessage());
        assertTrue(message.contains("'bet' is neither") && message.contains("its peers: beta"), message);
        assertThrows(OperationException.class, () -> alpha.peerAddress("gamma:x"));
    }
}
