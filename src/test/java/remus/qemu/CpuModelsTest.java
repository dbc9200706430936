package remus.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;

class CpuModelsTest {
    private static final String ANSWERS = """
            qemu: a warning that is no JSON
            {"QMP": {"version": {}, "capabilities": []}}
            {"return": {}}
            {"return": [{"name": "max", "unavailable-features": []}, {"name": "EPYC", "unavailable-features": ["npt"]}, \
            {"name": "base", "unavailable-features": []}, {"name": "486-v1", "unavailable-features": []}, \
            {"name": "486", "unavailable-features": []}, {"name": "unsaid"}]}
            {"return": {}}
            """;

    @Test
    void modelsThatLackAFeatureHereAndVersionsAreLeftOut() throws Exception {
        assertEquals(List.of("486", "max"), CpuModels.parse(ANSWERS));
    }

    @Test
    void anAnswerWithoutAListIsAnError() {
        assertThrows(QemuException.class, () -> CpuModels.parse("{\"return\": {}}\n"));
        assertThrows(QemuException.class, () -> CpuModels.parse("{\"return\": [}\n"));
    }
}
