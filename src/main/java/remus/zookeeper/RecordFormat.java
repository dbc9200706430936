package remus.zookeeper;

import java.util.Locale;
import org.jspecify.annotations.Nullable;
import remus.availability.HostId;
import remus.availability.OwnershipRecord;
import remus.availability.RequestId;
import remus.base.Term;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.MapperFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * An ownership record as its node holds it: one line of JSON, UTF-8, described in docs/SPECIFICATION.md. Reading takes
 * nothing for granted: the length, the format's number, every key and its type, and that the record is of this VM.
 */
final class RecordFormat {
    /** The only format there is so far. */
    static final int VERSION = 1;

    private static final JsonMapper MAPPER = JsonMapper.builder()
            .disable(MapperFeature.SORT_PROPERTIES_ALPHABETICALLY)
            .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
            .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    /** The keys, in this order. */
    private record Document(
            int format,
            @Nullable String vm,
            long term,
            @Nullable String owner,
            @Nullable String backup,
            @Nullable String formerOwner,
            @Nullable String phase,
            @Nullable String requestId) {}

    private RecordFormat() {}

    static String encode(String vm, OwnershipRecord record) {
        return MAPPER.writeValueAsString(new Document(
                VERSION,
                vm,
                record.term().value(),
                record.owner().name(),
                name(record.backup()),
                name(record.formerOwner()),
                record.phase().name().toLowerCase(Locale.ROOT),
                record.requestId().value()));
    }

    private static @Nullable String name(@Nullable HostId host) {
        return host == null ? null : host.name();
    }

    static OwnershipRecord decode(String vm, String text) throws UnreadableRecordException {
        if (text.length() > ZooKeeperLimits.MAX_RECORD_CHARS) {
            throw new UnreadableRecordException(
                    "%d characters, a record has at most %d".formatted(text.length(), ZooKeeperLimits.MAX_RECORD_CHARS),
                    null);
        }
        try {
            JsonNode tree = MAPPER.readTree(text);
            if (!tree.isObject()) {
                throw new UnreadableRecordException("not a record: no JSON object", null);
            }
            JsonNode format = tree.path("format");
            if (format.isInt() && format.intValue() != VERSION) {
                throw new UnreadableRecordException(
                        "written in format %d, this version of Remus knows %d: upgrade this host"
                                .formatted(format.intValue(), VERSION),
                        null);
            }
            Document document = MAPPER.treeToValue(tree, Document.class);
            if (!vm.equals(document.vm())) {
                throw new UnreadableRecordException("the record of another VM, '" + document.vm() + "'", null);
            }
            return record(document);
        } catch (JacksonException e) {
            throw new UnreadableRecordException("not a record: " + e.getOriginalMessage(), e);
        } catch (IllegalArgumentException e) {
            throw new UnreadableRecordException("not a record: " + e.getMessage(), e);
        }
    }

    private static OwnershipRecord record(Document document) {
        OwnershipRecord.Phase phase = switch (required("phase", document.phase())) {
            case "alone" -> OwnershipRecord.Phase.ALONE;
            case "protected" -> OwnershipRecord.Phase.PROTECTED;
            case "activating" -> OwnershipRecord.Phase.ACTIVATING;
            default -> throw new IllegalArgumentException("unknown phase '" + document.phase() + "'");
        };
        return new OwnershipRecord(
                new Term(document.term()),
                new HostId(required("owner", document.owner())),
                host(document.backup()),
                host(document.formerOwner()),
                phase,
                new RequestId(required("requestId", document.requestId())));
    }

    private static String required(String key, @Nullable String value) {
        if (value == null) {
            throw new IllegalArgumentException(key + " is null");
        }
        return value;
    }

    private static @Nullable HostId host(@Nullable String name) {
        return name == null ? null : new HostId(name);
    }
}
