package remus.doctor;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import remus.availability.Arbiter;
import remus.availability.ArbiterChoice;
import remus.base.Time;
import remus.linux.LinuxException;
import remus.linux.Tap;
import remus.linux.Userfaultfd;
import remus.qemu.QemuInstallation;
import remus.zookeeper.ArbiterSetUpException;
import remus.zookeeper.ZooKeeperArbiter;
import remus.zookeeper.ZooKeeperCredential;

/** Looks at this host; changes nothing that outlasts the look. */
final class HostLook {
    private static final Path KVM = Path.of("/dev/kvm");
    private static final Path STATUS = Path.of("/proc/self/status");
    private static final Path LIMITS = Path.of("/proc/self/limits");
    private static final String CAPABILITIES = "CapEff:";
    private static final String OPEN_FILES = "Max open files";
    private static final String EXIT = "failed with exit code";
    private static final int CAP_NET_ADMIN = 12;
    private static final int CAP_SYS_PTRACE = 19;

    /** No VM needs to be called so for the arbiter to be asked about it. */
    private static final String ANY_VM = "doctor";

    /** Longer than the arbiter's own limit, after which it says that it can't be asked. */
    private static final long ARBITER_LIMIT_SECONDS = 10;

    private HostLook() {}

    static KernelJudgement.Privileges privileges() throws IOException {
        long capabilities = 0;
        boolean root = false;
        for (String line : Files.readAllLines(STATUS)) {
            if (line.startsWith(CAPABILITIES)) {
                capabilities = Long.parseUnsignedLong(
                        line.substring(CAPABILITIES.length()).strip(), 16);
            } else if (line.startsWith("Uid:")) {
                root = line.split("\\s+", 4)[2].equals("0"); // the effective one
            }
        }
        List<String> missing = new ArrayList<>();
        if ((capabilities >>> CAP_NET_ADMIN & 1) == 0) {
            missing.add("CAP_NET_ADMIN");
        }
        if ((capabilities >>> CAP_SYS_PTRACE & 1) == 0) {
            missing.add("CAP_SYS_PTRACE");
        }
        return new KernelJudgement.Privileges(root, missing);
    }

    static KernelJudgement.Userfaultfd userfaultfd() {
        try {
            return modes(false);
        } catch (LinuxException refused) {
            try {
                return modes(true);
            } catch (LinuxException e) {
                return new KernelJudgement.Userfaultfd(false, false, false, e.errno());
            }
        }
    }

    private static KernelJudgement.Userfaultfd modes(boolean userModeOnly) throws LinuxException {
        try (Userfaultfd descriptor = Userfaultfd.ofThisProcess(userModeOnly)) {
            boolean asynchronous = descriptor.chooseAsynchronous();
            // A mode can be chosen once.
            boolean synchronous = asynchronous || descriptor.chooseSynchronous();
            return new KernelJudgement.Userfaultfd(asynchronous, synchronous, !userModeOnly, 0);
        }
    }

    /** @param installation null: QEMU is not there to be tried */
    static QemuJudgement.Kvm kvm(@Nullable QemuInstallation installation) throws InterruptedException {
        if (!Files.exists(KVM)) {
            return new QemuJudgement.Kvm(false, false, null);
        }
        try (RandomAccessFile _ = new RandomAccessFile(KVM.toFile(), "rw")) {
            String problem = installation == null
                    ? "it was not tried"
                    : installation.kvmProblem().map(HostLook::withoutCommand).orElse(null);
            return new QemuJudgement.Kvm(true, true, problem);
        } catch (IOException e) {
            return new QemuJudgement.Kvm(true, false, null);
        }
    }

    /** The command that was tried is long, and what it printed says more. */
    private static String withoutCommand(String problem) {
        return problem.substring(Math.max(0, problem.indexOf(EXIT)));
    }

    /** Why no TAP can be made, or null. */
    static @Nullable Problem tun() {
        try (Tap _ = Tap.open("remus%d")) {
            return null;
        } catch (LinuxException e) {
            return Problem.of(e);
        }
    }

    static List<String> bridges() throws LinuxException, SocketException {
        List<String> bridges = new ArrayList<>();
        for (NetworkInterface networkInterface :
                NetworkInterface.networkInterfaces().toList()) {
            String name = networkInterface.getName();
            if (name.length() <= Tap.MAX_NAME_BYTES && Tap.isBridge(name)) {
                bridges.add(name);
            }
        }
        bridges.sort(null);
        return bridges;
    }

    /** How many files this process may open; the JVM has asked for as many as it can have, as the daemon's does. */
    static long descriptorLimit() throws IOException {
        for (String line : Files.readAllLines(LIMITS)) {
            if (line.startsWith(OPEN_FILES)) {
                String soft = line.substring(OPEN_FILES.length()).strip().split("\\s+", 2)[0];
                return soft.equals("unlimited") ? Long.MAX_VALUE : Long.parseLong(soft);
            }
        }
        throw new IOException(LIMITS + " has no " + OPEN_FILES);
    }

    static HostJudgement.State state(Path directory) throws IOException {
        Path absolute = directory.toAbsolutePath().normalize();
        @Nullable Path present = absolute;
        while (present != null && !Files.exists(present)) {
            present = present.getParent();
        }
        Path looked = present == null ? Path.of("/") : present;
        FileStore store = Files.getFileStore(looked);
        return new HostJudgement.State(
                absolute,
                looked.equals(absolute),
                Files.isDirectory(looked) && Files.isWritable(looked) && !store.isReadOnly(),
                store.getUsableSpace(),
                store.type());
    }

    /** Why the arbiter's servers do not answer, or null. */
    static @Nullable Problem arbiter(ArbiterChoice.Ensemble ensemble, @Nullable Path credentialFile, Time time)
            throws InterruptedException {
        BlockingQueue<Arbiter.ReadOutcome> answers = new ArrayBlockingQueue<>(1);
        try {
            ZooKeeperCredential credential = credentialFile == null ? null : ZooKeeperCredential.read(credentialFile);
            try (ZooKeeperArbiter arbiter = ZooKeeperArbiter.start(ensemble, credential, time, status -> {})) {
                arbiter.read(ANY_VM, answers::add);
                return switch (answers.poll(ARBITER_LIMIT_SECONDS, TimeUnit.SECONDS)) {
                    case Arbiter.ReadOutcome.Found _, Arbiter.ReadOutcome.Absent _ -> null;
                    case Arbiter.ReadOutcome.Unavailable(String cause) -> Problem.of(cause);
                    case null -> new Problem("nothing came back", null);
                };
            }
        } catch (ArbiterSetUpException e) {
            return Problem.of(e);
        }
    }
}
