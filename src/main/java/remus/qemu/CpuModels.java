package remus.qemu;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import remus.base.ErrorCategory;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Reads QEMU's answer to {@code query-cpu-definitions}, one JSON document a line among others. */
final class CpuModels {
    /** Each model has versions besides the name that stands for one of them. */
    private static final Pattern VERSION = Pattern.compile(".*-v\\d+");

    /** All models have this one's properties; no guest runs on it. */
    private static final String NO_MODEL = "base";

    private CpuModels() {}

    /** The names of models without unavailable features, sorted. */
    static List<String> parse(String answers) throws QemuException {
        JsonMapper mapper = JsonMapper.builder().build();
        try {
            for (String line : answers.lines().toList()) {
                JsonNode result = line.startsWith("{") ? mapper.readTree(line).path("return") : null;
                if (result != null && result.isArray()) {
                    return usable(result);
                }
            }
        } catch (JacksonException e) {
            throw new QemuException(ErrorCategory.FATAL, "QEMU's list of CPU models can't be read", e);
        }
        throw new QemuException(ErrorCategory.FATAL, "QEMU gives no list of CPU models", null);
    }

    private static List<String> usable(JsonNode models) {
        Set<String> names = new TreeSet<>();
        for (JsonNode model : models) {
            String name = model.path("name").asString("");
            // Where QEMU does not say what is unavailable, the model can't be vouched for.
            JsonNode unavailable = model.path("unavailable-features");
            boolean runs = unavailable.isArray() && unavailable.isEmpty();
            if (runs
                    && !name.isEmpty()
                    && !name.equals(NO_MODEL)
                    && !VERSION.matcher(name).matches()) {
                names.add(name);
            }
        }
        return List.copyOf(names);
    }
}
