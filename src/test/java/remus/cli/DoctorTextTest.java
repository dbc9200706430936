package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import remus.api.DoctorReport;
import remus.api.Json;

class DoctorTextTest {
    private static final DoctorReport REPORT = new DoctorReport(
            "failure",
            List.of(
                    new DoctorReport.Check("kernel", "ok", "Linux 6.18, amd64", null),
                    new DoctorReport.Check(
                            "bridges",
                            "warning",
                            "there is none, so that VMs here can have no network at all",
                            "make one on both hosts: ip link add br0 type bridge; ip link set br0 up"),
                    new DoctorReport.Check("peer machines", "failure", "x".repeat(70), "install the same QEMU")),
            null);

    @Test
    void eachCheckIsALineWithItsRemedyBelowWithin80Columns() {
        assertEquals("""
                ok       kernel         Linux 6.18, amd64
                warning  bridges        there is none, so that VMs here can have no network at
                                        all
                                        -> make one on both hosts: ip link add br0 type bridge;
                                        ip link set br0 up
                failure  peer machines  %s
                                        %s
                                        -> install the same QEMU
                3 checks: 1 ok, 1 with a warning, 1 failed""".formatted("x".repeat(56), "x".repeat(14)), DoctorText.table(REPORT));
        assertTrue(DoctorText.table(REPORT).lines().allMatch(line -> line.length() <= 80));
    }

    @Test
    void whatFailedIsNamedAtTheEnd() {
        assertEquals(
                "1 of 3 checks failed (peer machines): do what is said there, and run it again",
                DoctorText.failures(REPORT));
    }

    @Test
    void theDocumentSaysWhatIsMissingAsNull() {
        assertTrue(Json.write(REPORT)
                .startsWith("{\"verdict\":\"failure\",\"checks\":[{\"check\":\"kernel\",\"verdict\":\"ok\",\"found\":"
                        + "\"Linux 6.18, amd64\",\"remedy\":null},"));
        assertTrue(Json.write(REPORT).endsWith("],\"link\":null}"));
    }
}
