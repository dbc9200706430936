package remus.host;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import remus.host.OperationException.Kind;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/**
 * A mapping of a YAML file that is read key by key, so strictly that nothing in it goes unnoticed: keys that nobody
 * asked for, repeated keys and values of the wrong type are problems. All problems of a file are collected and
 * refused together by {@link #refuseProblems}, each naming its key and value; until then reading goes on, and what
 * could not be read is null. Confined to one thread.
 */
final class StrictYaml {
    private static final int SHOWN_CHARS = 60;
    private static final YAMLMapper YAML = YAMLMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private final String path;
    private final JsonNode node;
    private final List<String> problems;
    private final Set<String> asked = new TreeSet<>();

    private StrictYaml(String path, JsonNode node, List<String> problems) {
        this.path = path;
        this.node = node;
        this.problems = problems;
    }

    /**
     * Begins to read a file.
     *
     * @param what names the file in errors
     * @param maxChars the longest text accepted
     * @throws OperationException when it is no YAML mapping at all
     */
    static StrictYaml parse(String what, String text, int maxChars) throws OperationException {
        if (text.length() > maxChars) {
            throw refusal(what, "it has %d characters, %d are allowed".formatted(text.length(), maxChars));
        }
        JsonNode node;
        try {
            node = YAML.readTree(text);
        } catch (JacksonException e) {
            throw refusal(what, "it is not valid YAML: " + located(e));
        }
        if (node == null || !node.isObject()) {
            throw refusal(what, "it is not a mapping of keys to values");
        }
        return new StrictYaml("", node, new ArrayList<>());
    }

    private static String located(JacksonException e) {
        var location = e.getLocation();
        String where = location == null || location.getLineNr() < 1
                ? ""
                : "line %d, column %d: ".formatted(location.getLineNr(), location.getColumnNr());
        // The parser quotes the text below its sentences, indented; the place above says as much in one line.
        String sentences = e.getOriginalMessage()
                .lines()
                .filter(line -> !line.isBlank() && !Character.isWhitespace(line.charAt(0)))
                .collect(Collectors.joining(", "));
        return where + sentences;
    }

    private static OperationException refusal(String what, String problem) {
        return new OperationException(Kind.REFUSED, what + ": " + problem, "");
    }

    /** Notes a problem with the value of {@code key}. */
    void refuse(String key, String problem) {
        problems.add(path + key + ": " + problem);
    }

    /** @throws OperationException naming every problem found so far, if there is one */
    void refuseProblems(String what) throws OperationException {
        if (!problems.isEmpty()) {
            throw refusal(what, String.join("; ", problems));
        }
    }

    /** Notes a problem for each key that nobody asked for; call it after the last one was. */
    void end() {
        for (String key : node.propertyNames()) {
            if (!asked.contains(key)) {
                refuse(key, "unknown key: the keys here are " + String.join(", ", asked));
            }
        }
    }

    private @Nullable JsonNode child(String key) {
        asked.add(key);
        JsonNode child = node.get(key);
        if (child != null && child.isNull()) {
            refuse(key, "has no value: give it one or leave the key out");
            return null;
        }
        return child;
    }

    /** Whether the key is there with any value; counts as asked for. */
    boolean has(String key) {
        asked.add(key);
        return node.has(key);
    }

    /** A text: numbers and booleans are refused, lest {@code 010} silently becomes 8. */
    @Nullable
    String text(String key) {
        JsonNode child = child(key);
        if (child == null) {
            return null;
        }
        if (!child.isString()) {
            refuse(key, "%s is not text: put it in quotes if it is meant so".formatted(shown(child)));
            return null;
        }
        return child.asString();
    }

    /** A scalar that {@code reader} understands; its {@link IllegalArgumentException} says why not. */
    <T> @Nullable T value(String key, Function<String, T> reader) {
        JsonNode child = child(key);
        if (child == null) {
            return null;
        }
        if (child.isContainer()) {
            refuse(key, shown(child) + " is not a single value");
            return null;
        }
        try {
            return reader.apply(child.asString());
        } catch (IllegalArgumentException e) {
            refuse(key, String.valueOf(e.getMessage()));
            return null;
        }
    }

    /** A whole number from {@code min} to {@code max}. */
    @Nullable
    Integer integer(String key, int min, int max) {
        JsonNode child = child(key);
        if (child == null) {
            return null;
        }
        if (!child.isIntegralNumber() || !child.canConvertToInt() || child.asInt() < min || child.asInt() > max) {
            refuse(key, "%s is not a whole number from %d to %d".formatted(shown(child), min, max));
            return null;
        }
        return child.asInt();
    }

    /** A mapping within this one. */
    @Nullable
    StrictYaml mapping(String key) {
        JsonNode child = child(key);
        if (child == null) {
            return null;
        }
        if (!child.isObject()) {
            refuse(key, shown(child) + " is not a mapping: write {key: value, …}");
            return null;
        }
        return new StrictYaml(path + key + ".", child, problems);
    }

    /** A list of mappings, at most {@code limit}; empty when the key is missing. */
    List<StrictYaml> mappings(String key, int limit) {
        List<StrictYaml> mappings = new ArrayList<>();
        List<JsonNode> items = items(key, limit);
        for (int index = 0; index < items.size(); index++) {
            JsonNode item = items.get(index);
            if (item.isObject()) {
                mappings.add(new StrictYaml("%s%s[%d].".formatted(path, key, index), item, problems));
            } else {
                refuse("%s[%d]".formatted(key, index), shown(item) + " is not a mapping: write {key: value, …}");
            }
        }
        return mappings;
    }

    /** A list of texts, at most {@code limit}; empty when the key is missing. */
    List<String> texts(String key, int limit) {
        List<String> texts = new ArrayList<>();
        for (JsonNode item : items(key, limit)) {
            if (item.isString()) {
                texts.add(item.asString());
            } else {
                refuse(key, shown(item) + " is not text: put it in quotes if it is meant so");
            }
        }
        return texts;
    }

    private List<JsonNode> items(String key, int limit) {
        JsonNode child = child(key);
        if (child == null) {
            return List.of();
        }
        if (!child.isArray()) {
            refuse(key, shown(child) + " is not a list: write [ … ]");
            return List.of();
        }
        if (child.size() > limit) {
            refuse(key, "%d entries, at most %d are allowed".formatted(child.size(), limit));
            return List.of();
        }
        return List.copyOf(child.values());
    }

    /** All keys of this mapping, whatever they are, with texts as values. */
    Map<String, String> allTexts() {
        Map<String, String> texts = new LinkedHashMap<>();
        for (String key : node.propertyNames()) {
            String text = text(key);
            if (text != null) {
                texts.put(key, text);
            }
        }
        return texts;
    }

    /** A value as errors show it: in quotes, shortened. */
    static String shown(String value) {
        String shortened = value.length() <= SHOWN_CHARS ? value : value.substring(0, SHOWN_CHARS) + "…";
        return "'" + shortened + "'";
    }

    private static String shown(JsonNode value) {
        return shown(value.isValueNode() ? value.asString() : value.toString());
    }
}
