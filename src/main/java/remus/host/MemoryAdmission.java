package remus.host;

import java.io.IOException;
import remus.api.HostMemory;
import remus.base.ByteSize;
import remus.host.OperationException.Kind;

/**
 * Says for which further VMs this host has memory. What it has said is kept free until the VM is among those of the
 * registry, so that VMs which begin at the same time are not each promised the same memory. Thread-safe.
 */
final class MemoryAdmission {
    private final RuntimeDirectory runtime;
    private final VmRegistry registry;
    private long promisedGuestBytes;
    private long promisedOtherBytes;

    MemoryAdmission(RuntimeDirectory runtime, VmRegistry registry) {
        this.runtime = runtime;
        this.registry = registry;
    }

    /** Memory for a VM; closed when the VM is in the registry, or has come to nothing. */
    final class Promise implements AutoCloseable {
        private final MemoryNeed need;
        private boolean kept = true;

        private Promise(MemoryNeed need) {
            this.need = need;
            promise(need, 1);
        }

        @Override
        public void close() {
            synchronized (MemoryAdmission.this) {
                if (kept) {
                    kept = false;
                    promise(need, -1);
                }
            }
        }
    }

    private void promise(MemoryNeed need, int sign) {
        promisedGuestBytes += sign * need.guest().bytes();
        promisedOtherBytes += sign * (need.staging().bytes() + need.qemu().bytes());
    }

    /**
     * Promises a VM its memory, or refuses it.
     *
     * @param what the VM and its part, for the message
     */
    synchronized Promise admit(String what, MemoryNeed need) throws OperationException {
        GuestRoom room;
        try {
            room = room();
        } catch (IOException e) {
            throw new OperationException(Kind.FAILED, "free memory can't be read: " + e, "", e);
        }
        if (room.tmpfsFreeBytes() < need.guest().bytes()) {
            throw new OperationException(
                    Kind.REFUSED,
                    "%s needs %s of guest memory but %s has %s left"
                            .formatted(what, need.guest(), GuestRoom.TMPFS, new ByteSize(room.tmpfsFreeBytes())),
                    "give it less memory, or enlarge the tmpfs by mount -o remount,size=…");
        }
        if (room.availableBytes() < need.total().bytes()) {
            throw new OperationException(
                    Kind.REFUSED,
                    "%s needs %s (%s) but this host has %s of memory available"
                            .formatted(what, need.total(), need, new ByteSize(room.availableBytes())),
                    "give it less memory, or free some");
        }
        return new Promise(need);
    }

    /** What is left for further VMs. */
    synchronized GuestRoom room() throws IOException {
        return GuestRoom.read().after(unfilledBytes(), registry.stagingBytes() + promisedOtherBytes);
    }

    /** As others are told. */
    synchronized HostMemory figures() throws IOException {
        MemoryInformation all = MemoryInformation.read();
        return new HostMemory(
                all.totalBytes(),
                all.availableBytes(),
                registry.memoryBytes(),
                unfilledBytes(),
                registry.stagingBytes());
    }

    private long unfilledBytes() throws IOException {
        return Math.max(0, registry.memoryBytes() + promisedGuestBytes - runtime.filledBytes());
    }
}
