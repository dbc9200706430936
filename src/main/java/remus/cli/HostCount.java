package remus.cli;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What a host has at one moment, as a {@link HostCensus} counts it.
 *
 * @param host its name
 * @param qemus processes of QEMU in its network namespace, whoever started them
 * @param taps TAP devices there
 * @param tmpfsFiles files in the directory where its daemon keeps the QEMUs' memory and sockets
 * @param tmpfsBytes how long they are together
 * @param descriptors open file descriptors of the daemon
 * @param descriptorKinds the same by what they are of
 * @param mappedBytes guest memory that the daemon has mapped, also of files that are deleted
 * @param offHeapBytes memory that the daemon has allocated outside of its heap: arenas and direct buffers
 * @param threads of the daemon; not judged, for pools and compilers come and go
 */
record HostCount(
        String host,
        long qemus,
        long taps,
        long tmpfsFiles,
        long tmpfsBytes,
        long descriptors,
        SortedMap<String, Long> descriptorKinds,
        long mappedBytes,
        long offHeapBytes,
        long threads) {
    /**
     * Descriptors that a daemon may have more than before: a connection to its API or replication port that is only just
     * made or closed, and what the JVM opens at the first use of something.
     */
    static final long SPARE_DESCRIPTORS = 4;

    /**
     * Off-heap memory that a daemon without VMs may have more than before: 1 MiB of zeros that it keeps from its first disk on,
     * and buffers that threads of the JVM keep for the next transfer. With VMs it is not judged, for a session keeps what its
     * largest checkpoint took, which is never the same.
     */
    static final long SPARE_OFF_HEAP_BYTES = 2L << 20;

    HostCount {
        descriptorKinds = Collections.unmodifiableSortedMap(new TreeMap<>(descriptorKinds));
    }

    /**
     * What is there now and was not before, where the host is to be in the same state: a line for each, for people; empty
     * where nothing leaked.
     */
    List<String> leaksSince(HostCount before) {
        List<String> leaks = new ArrayList<>();
        more(leaks, "QEMU processes", before.qemus, qemus);
        more(leaks, "TAP devices", before.taps, taps);
        more(leaks, "files on tmpfs", before.tmpfsFiles, tmpfsFiles);
        more(leaks, "bytes of guest memory mapped", before.mappedBytes, mappedBytes);
        if (descriptors > before.descriptors + SPARE_DESCRIPTORS) {
            leaks.add("%s: %d open file descriptors, before %d: %s"
                    .formatted(host, descriptors, before.descriptors, kindsSince(before)));
        }
        if (before.qemus == 0 && offHeapBytes > before.offHeapBytes + SPARE_OFF_HEAP_BYTES) {
            leaks.add("%s: %,d bytes off the heap, before %,d".formatted(host, offHeapBytes, before.offHeapBytes));
        }
        return leaks;
    }

    private void more(List<String> leaks, String what, long before, long now) {
        if (now > before) {
            leaks.add("%s: %,d %s, before %,d".formatted(host, now, what, before));
        }
    }

    private String kindsSince(HostCount before) {
        List<String> kinds = new ArrayList<>();
        for (Map.Entry<String, Long> kind : descriptorKinds.entrySet()) {
            long more = kind.getValue() - before.descriptorKinds.getOrDefault(kind.getKey(), 0L);
            if (more > 0) {
                kinds.add("%d more of %s".formatted(more, kind.getKey()));
            }
        }
        return String.join(", ", kinds);
    }
}
