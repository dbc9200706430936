package remus.architecture;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** The house rules of docs/ARCHITECTURE.md: who may use whom, and what the pure rooms may not touch. */
class HouseTest {
    private static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages("remus");

    private static final Map<String, List<String>> MAY_USE = Map.ofEntries(
            Map.entry("base", List.of()),
            Map.entry("linux", List.of("base")),
            Map.entry("wire", List.of("base")),
            Map.entry("checkpoint", List.of("base", "wire")),
            Map.entry("availability", List.of("base")),
            Map.entry("migration", List.of("base", "wire", "checkpoint", "availability")),
            Map.entry("memory", List.of("base", "linux", "checkpoint")),
            Map.entry("disk", List.of("base", "linux", "checkpoint")),
            Map.entry("network", List.of("base", "linux", "checkpoint")),
            Map.entry("replication", List.of("base", "wire", "checkpoint")),
            Map.entry("qemu", List.of("base", "linux", "checkpoint")),
            Map.entry("zookeeper", List.of("base", "availability")),
            Map.entry("api", List.of("base")),
            Map.entry(
                    "doctor",
                    List.of(
                            "base",
                            "api",
                            "linux",
                            "wire",
                            "availability",
                            "memory",
                            "replication",
                            "qemu",
                            "zookeeper",
                            "host")),
            Map.entry(
                    "bench",
                    List.of(
                            "base",
                            "api",
                            "linux",
                            "wire",
                            "checkpoint",
                            "availability",
                            "memory",
                            "disk",
                            "network",
                            "replication",
                            "qemu")));

    private static final List<String> PURE = List.of("base", "wire", "checkpoint", "availability", "migration");

    @TestFactory
    Stream<DynamicTest> eachRoomUsesOnlyWhatItMay() {
        return MAY_USE.entrySet().stream()
                .map(room -> DynamicTest.dynamicTest(room.getKey(), () -> {
                    String[] allowed = Stream.concat(Stream.of(room.getKey()), room.getValue().stream())
                            .map(name -> "remus." + name)
                            .toArray(String[]::new);
                    noClasses()
                            .that()
                            .resideInAPackage("remus." + room.getKey())
                            .should()
                            .dependOnClassesThat(
                                    new DescribedPredicate<JavaClass>("are outside " + Arrays.toString(allowed)) {
                                        @Override
                                        public boolean test(JavaClass target) {
                                            return target.getPackageName().startsWith("remus.")
                                                    && !Arrays.asList(allowed).contains(target.getPackageName());
                                        }
                                    })
                            .check(CLASSES);
                }));
    }

    @Test
    void thereAreNoCycles() {
        slices().matching("remus.(*)..").should().beFreeOfCycles().check(CLASSES);
    }

    @Test
    void onlyLinuxMakesDowncalls() {
        noClasses()
                .that()
                .resideOutsideOfPackage("remus.linux")
                .should()
                .dependOnClassesThat()
                .haveFullyQualifiedName("java.lang.foreign.Linker")
                .orShould()
                .dependOnClassesThat()
                .haveFullyQualifiedName("java.lang.foreign.SymbolLookup")
                .check(CLASSES);
    }

    @Test
    void zooKeepersTypesStayInTheirRoom() {
        noClasses()
                .that()
                .resideOutsideOfPackage("remus.zookeeper")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("org.apache.zookeeper..", "org.apache.curator..")
                .check(CLASSES);
    }

    @Test
    void onlyTheWireKnowsThePacker() {
        noClasses()
                .that()
                .resideOutsideOfPackage("remus.wire")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("net.jpountz..")
                .check(CLASSES);
    }

    @Test
    void onlyTheCommandLineDrawsOnTerminals() {
        noClasses()
                .that()
                .resideOutsideOfPackage("remus.cli")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("org.jline..")
                .check(CLASSES);
    }

    @Test
    void nothingButTheCommandLineUsesTheCommandLine() {
        noClasses()
                .that()
                .resideOutsideOfPackage("remus.cli")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("remus.cli")
                .check(CLASSES);
    }

    @Test
    void whatTheDoctorJudgesByLooksAtNothing() {
        noClasses()
                .that()
                .resideInAPackage("remus.doctor")
                .and()
                .haveSimpleNameEndingWith("Judgement")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("java.io", "java.net", "java.nio.channels")
                .orShould()
                .dependOnClassesThat()
                .haveSimpleNameEndingWith("Look")
                .orShould()
                .dependOnClassesThat()
                .belongToAnyOf(java.nio.file.Files.class, Thread.class, ProcessBuilder.class)
                .check(CLASSES);
    }

    @TestFactory
    Stream<DynamicTest> pureRoomsHaveNoThreadsSocketsOrClock() {
        return PURE.stream()
                .map(room -> DynamicTest.dynamicTest(
                        room,
                        () -> noClasses()
                                .that()
                                .resideInAPackage("remus." + room)
                                .should()
                                .dependOnClassesThat()
                                .resideInAnyPackage("java.net", "java.nio.channels", "java.util.concurrent.locks")
                                .orShould()
                                .dependOnClassesThat()
                                .belongToAnyOf(
                                        Thread.class,
                                        java.util.Random.class,
                                        java.util.concurrent.ExecutorService.class)
                                .orShould()
                                .callMethod(System.class, "nanoTime")
                                .orShould()
                                .callMethod(System.class, "currentTimeMillis")
                                .check(CLASSES)));
    }
}
