package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.availability.HostId;
import remus.availability.OwnershipRecord;
import remus.availability.RequestId;
import remus.base.Term;

/** What a daemon does about what a former one has left; a shell that waits for its input stands for each QEMU. */
@Timeout(60)
class RuntimeDirectoryTest {
    @TempDir
    private Path state;

    private final List<Process> processes = new ArrayList<>();
    private Path shop = Path.of("/");

    @BeforeEach
    void leave() throws Exception {
        RuntimeDirectory former = RuntimeDirectory.open(state);
        shop = Files.createDirectories(former.of("shop", 3));
    }

    @AfterEach
    void end() throws Exception {
        for (Process process : processes) {
            process.destroyForcibly().waitFor();
        }
        RuntimeDirectory.clearFor(state);
    }

    private Process qemu() throws IOException {
        Process process = new ProcessBuilder(
                        "sh", "-c", "read line", "sh", "socket,id=qmp,path=" + shop.resolve("qmp") + ",server=on")
                .start();
        processes.add(process);
        return process;
    }

    private void note() throws IOException {
        OwnershipRecord first = OwnershipRecord.alone(new Term(1), new HostId(QuietHost.NAME), new RequestId("first"));
        RunningNote.begin(shop, RunningVm.alone(QuietHost.definition("shop"), first, ProtectionSettings.DEFAULTS))
                .write();
    }

    private void expectEnded(Process process) throws Exception {
        assertTrue(process.waitFor(20, TimeUnit.SECONDS));
        assertFalse(Files.exists(shop));
    }

    @Test
    void aVmThatRunsIsFoundAndLives() throws Exception {
        Process qemu = qemu();
        note();
        RuntimeDirectory.noteProcess(shop, qemu.pid());
        RuntimeDirectory next = RuntimeDirectory.open(state);
        RuntimeDirectory.Found found = next.found().getFirst();
        assertEquals(qemu.pid(), found.process().pid());
        assertEquals("shop", found.vm().definition().name());
        assertEquals(3, RuntimeDirectory.generation(found.directory()));
        next.close();
        assertTrue(qemu.isAlive(), "nobody has owned it");
        assertTrue(Files.exists(shop));
        RuntimeDirectory owner = RuntimeDirectory.open(state);
        owner.own(shop);
        owner.close();
        expectEnded(qemu);
    }

    @Test
    void aVmThatIsNotUnderstoodIsNeverEnded() throws Exception {
        Process qemu = qemu();
        note();
        RuntimeDirectory.noteProcess(shop, qemu.pid());
        Path file = shop.resolve("vm.json");
        Files.writeString(file, Files.readString(file).replace("\"version\":1", "\"version\":9"));
        OperationException refused = assertThrows(OperationException.class, () -> RuntimeDirectory.open(state));
        String said = String.valueOf(refused.getMessage());
        assertTrue(said.contains("QEMU " + qemu.pid()) && said.contains("version is 9"), said);
        assertTrue(qemu.isAlive());
    }

    @Test
    void aStandbyIsEnded() throws Exception {
        Process qemu = qemu();
        RuntimeDirectory.noteProcess(shop, qemu.pid());
        assertEquals(List.of(), RuntimeDirectory.open(state).found());
        expectEnded(qemu);
    }

    @Test
    void aQemuWhoseProcessIsNotOnRecordIsFoundByItsDirectoryAndEnded() throws Exception {
        Process qemu = qemu();
        note();
        assertEquals(List.of(), RuntimeDirectory.open(state).found());
        expectEnded(qemu);
    }

    @Test
    void whatIsLeftOfADeadVmIsCleared() throws Exception {
        Process qemu = qemu();
        note();
        RuntimeDirectory.noteProcess(shop, qemu.pid());
        qemu.destroyForcibly().waitFor();
        assertEquals(List.of(), RuntimeDirectory.open(state).found());
        assertFalse(Files.exists(shop));
    }
}
