package remus.api;

import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.MapperFeature;
import tools.jackson.databind.ObjectReader;
import tools.jackson.databind.json.JsonMapper;

/**
 * How the documents of the API become JSON and are read again: every key is written, absent values as {@code null},
 * keys in the order of the records. Safe for many threads.
 */
public final class Json {
    private static final JsonMapper MAPPER = JsonMapper.builder()
            .disable(MapperFeature.SORT_PROPERTIES_ALPHABETICALLY)
            .build();

    private Json() {}

    /** One line of JSON. */
    public static String write(Object document) {
        return MAPPER.writeValueAsString(document);
    }

    /** Reads an answer of a host; keys that this version does not know are skipped. */
    public static <T> T read(String json, Class<T> type) {
        return MAPPER.readValue(json, type);
    }

    /**
     * Reads a request: unknown or repeated keys, and anything after the document, are refused.
     *
     * @throws tools.jackson.core.JacksonException saying what is wrong and where
     */
    public static <T> T readStrictly(String json, Class<T> type) {
        ObjectReader reader = MAPPER.readerFor(type)
                .with(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .with(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                .with(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
        return reader.readValue(json);
    }
}
