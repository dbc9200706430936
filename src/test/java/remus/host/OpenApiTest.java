package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import remus.api.ArbiterView;
import remus.api.CheckpointStatus;
import remus.api.CompressMode;
import remus.api.DiskStatus;
import remus.api.DrainStage;
import remus.api.DrainStep;
import remus.api.Draining;
import remus.api.ErrorDocument;
import remus.api.Event;
import remus.api.EventType;
import remus.api.FailoverRequest;
import remus.api.HostMemory;
import remus.api.HostStatus;
import remus.api.MigrateRequest;
import remus.api.MigrationMode;
import remus.api.MigrationRound;
import remus.api.MigrationSettling;
import remus.api.MigrationStage;
import remus.api.MigrationStatus;
import remus.api.OutputStatus;
import remus.api.Percentiles;
import remus.api.ProtectRequest;
import remus.api.StandbyMode;
import remus.api.StartRequest;
import remus.api.VmRole;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.api.WhenAlone;
import remus.api.WhenUnconverged;
import remus.base.HostAddress;
import tools.jackson.databind.JsonNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** docs/openapi.yaml says what the records and the server do: every path, every key, every type. */
class OpenApiTest {
    private static final JsonNode DOCUMENT = read();
    private static final Map<String, Class<?>> RECORDS = Stream.<Class<?>>of(
                    HostStatus.class,
                    ArbiterView.class,
                    HostMemory.class,
                    Draining.class,
                    DrainStep.class,
                    VmStatus.class,
                    CheckpointStatus.class,
                    OutputStatus.class,
                    DiskStatus.class,
                    Percentiles.class,
                    Event.class,
                    StartRequest.class,
                    ProtectRequest.class,
                    FailoverRequest.class,
                    MigrateRequest.class,
                    MigrationStatus.class,
                    MigrationSettling.class,
                    MigrationRound.class,
                    ErrorDocument.class)
            .collect(Collectors.toMap(Class::getSimpleName, type -> type));
    private static final Map<String, Class<?>> ENUMS = Stream.<Class<?>>of(
                    VmRole.class,
                    VmState.class,
                    EventType.class,
                    WhenAlone.class,
                    StandbyMode.class,
                    CompressMode.class,
                    DrainStage.class,
                    MigrationMode.class,
                    MigrationStage.class,
                    WhenUnconverged.class)
            .collect(Collectors.toMap(Class::getSimpleName, type -> type));

    private static final MigrationStatus MIGRATION = new MigrationStatus(
            "shop",
            "alpha",
            "192.0.2.7:7420",
            MigrationMode.PRE_COPY,
            MigrationStage.CONNECTING,
            List.of(),
            List.of(),
            null,
            null,
            0,
            0,
            null,
            0,
            0,
            0,
            0,
            null,
            null,
            null);

    private static JsonNode read() {
        try {
            return new YAMLMapper().readTree(Files.readString(Path.of("docs/openapi.yaml")));
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private static JsonNode schema(String name) {
        return DOCUMENT.at("/components/schemas/" + name);
    }

    private static Set<String> keys(JsonNode node) {
        return new LinkedHashSet<>(node.propertyNames());
    }

    @Test
    void everySchemaIsARecordOrAnEnum() {
        Set<String> all = new TreeSet<>(RECORDS.keySet());
        all.addAll(ENUMS.keySet());
        assertEquals(all, new TreeSet<>(keys(DOCUMENT.at("/components/schemas"))));
    }

    @TestFactory
    Stream<DynamicTest> everyRecordHasExactlyItsSchemasFields() {
        return RECORDS.entrySet().stream()
                .map(entry -> DynamicTest.dynamicTest(entry.getKey(), () -> {
                    JsonNode properties = schema(entry.getKey()).get("properties");
                    RecordComponent[] components = entry.getValue().getRecordComponents();
                    assertEquals(
                            Arrays.stream(components)
                                    .map(RecordComponent::getName)
                                    .toList(),
                            List.copyOf(keys(properties)));
                    for (RecordComponent component : components) {
                        JsonNode property = properties.get(component.getName());
                        assertTrue(
                                property.toString().contains(expectedType(component)),
                                component + " is described as " + property);
                    }
                }));
    }

    private static String expectedType(RecordComponent component) {
        Class<?> type = component.getType();
        if (type == String.class || type == Instant.class) {
            return "string";
        }
        if (type == boolean.class || type == Boolean.class) {
            return "boolean";
        }
        if (type == long.class || type == Long.class) {
            return "int64";
        }
        if (type == int.class || type == Integer.class) {
            return "int32";
        }
        if (type == List.class) {
            return "array";
        }
        return "#/components/schemas/" + type.getSimpleName();
    }

    @TestFactory
    Stream<DynamicTest> everyEnumHasExactlyItsSchemasValues() {
        return ENUMS.entrySet().stream()
                .map(entry -> DynamicTest.dynamicTest(entry.getKey(), () -> {
                    List<String> values = Arrays.stream(entry.getValue().getEnumConstants())
                            .map(Object::toString)
                            .toList();
                    List<String> described = schema(entry.getKey()).get("enum").values().stream()
                            .map(JsonNode::asString)
                            .toList();
                    assertEquals(values, described);
                }));
    }

    @Test
    void everyPathIsServed(@TempDir Path directory) throws Exception {
        FakeHost host = new FakeHost();
        host.vms.put("shop", FakeHost.vm("shop", VmState.UNPROTECTED));
        host.migrations.put("shop", MIGRATION);
        try (EventLog events = new EventLog(directory, new SettableTime());
                HttpApi api = HttpApi.start(new HostAddress("127.0.0.1", 0), host, events)) {
            for (String path : keys(DOCUMENT.get("paths"))) {
                for (String method : keys(DOCUMENT.get("paths").get(path))) {
                    if (!method.equals("parameters")) {
                        assertNotEquals(404, status(api.port(), method, path), method + " " + path);
                    }
                }
            }
        }
    }

    private static int status(int port, String method, String path) throws IOException {
        URI uri = URI.create("http://127.0.0.1:%d%s".formatted(port, path.replace("{name}", "shop")));
        HttpURLConnection connection = (HttpURLConnection) uri.toURL().openConnection(Proxy.NO_PROXY);
        connection.setRequestMethod(method.toUpperCase(java.util.Locale.ROOT));
        connection.setReadTimeout(10_000);
        try {
            return connection.getResponseCode();
        } finally {
            connection.disconnect();
        }
    }
}
