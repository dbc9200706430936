package remus.host;

import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import remus.availability.Arbiter;
import remus.availability.HostId;
import remus.availability.OwnershipAgent;
import remus.availability.Requests;
import remus.base.HostAddress;
import remus.base.Time;
import remus.qemu.QemuInstallation;
import remus.qemu.QemuLimits;
import remus.qemu.RealTimeThreads;
import remus.replication.PeerQuery;

/**
 * What every VM of a daemon works with. Thread-safe.
 *
 * @param advertised the replication address that other hosts are told
 */
record HostServices(
        String hostName,
        HostAddress advertised,
        Time time,
        EventLog events,
        StateDirectory state,
        RuntimeDirectory runtime,
        QemuInstallation installation,
        QemuLimits qemuLimits,
        AtomicLong generations,
        VmRegistry registry,
        MemoryAdmission memory,
        PeerQuery peers,
        ImageOwnership images,
        Arbitration arbitration,
        ProtectionKeeper keeper,
        HostDrain drain,
        RealTimeThreads threads) {
    /** Buffers asked for between QEMU's NIC and us, in bytes; the system may give less. */
    static final int NIC_SOCKET_BUFFER_BYTES = 4 << 20;

    /** Exit code of a daemon that ends because a broken invariant was found (sysexits.h: EX_SOFTWARE). */
    static final int EXIT_INVARIANT = 70;

    /** The arbiter that all hosts share; null: there is none. */
    @Nullable
    Arbiter arbiter() {
        return arbitration.arbiter();
    }

    OwnershipAgent.Pauses pauses() {
        return arbitration.pauses();
    }

    /** For another state machine of a VM: none of its requests is like one of any before. */
    Requests newRequests() {
        return Requests.first(new HostId(hostName), arbitration.nextIncarnation());
    }

    /** No QEMU is to get the number of the one that has that directory, or one before it. */
    void startGenerationsAfter(Path directory) {
        long generation = RuntimeDirectory.generation(directory);
        generations.accumulateAndGet(generation, Math::max);
    }

    /** A number that no QEMU of this daemon has had yet. */
    long nextGeneration() {
        return generations.incrementAndGet();
    }
}
