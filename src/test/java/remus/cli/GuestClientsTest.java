package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import remus.api.Json;

class GuestClientsTest {
    private static GuestClients.IperfReport report(String json) {
        return Json.read(json, GuestClients.IperfReport.class);
    }

    @Test
    void iperfsRateIsWhatArrivedInTheTimeOfTheClientsEnd() throws Exception {
        GuestClients.IperfReport report = report("""
                {"start": {"version": "iperf 3.12"}, "intervals": [],
                 "end": {"sum_sent": {"seconds": 2.0, "bytes": 3000000, "retransmits": 1},
                         "sum_received": {"seconds": 1.6, "bytes": 2500000, "sender": true}}}
                """);
        assertEquals(10.0, report.megabitsPerSecond(false), 1e-9);
        assertEquals(12.5, report.megabitsPerSecond(true), 1e-9);
    }

    @Test
    void whatIperfComplainsAboutIsTold() {
        String message = String.valueOf(assertThrows(
                        CommandException.class,
                        () -> report("{\"end\": {}, \"error\": \"unable to connect\"}")
                                .megabitsPerSecond(false))
                .getMessage());
        assertTrue(message.contains("unable to connect"), message);
    }

    @Test
    void redisRateIsThatOfBothRequestsTogether() throws Exception {
        String csv = """
                "test","rps","avg_latency_ms","min_latency_ms"
                "SET","1000.00","0.5","0.1"
                "GET","3000.00","0.5","0.1"
                """;
        assertEquals(1_500.0, GuestClients.requestsPerSecond(csv), 1e-9);
        assertThrows(CommandException.class, () -> GuestClients.requestsPerSecond("Could not connect"));
    }
}
