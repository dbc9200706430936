package remus.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Write protection and scans, tried on memory of this process. */
class WriteProtectionTest {
    private static final int PAGE_BYTES = 4096;
    private static final int PAGES = 20_000;
    private static final long UNKNOWN_FEATURE = 1L << 60;

    /** A vector of 65,536 is never full here; small ones are, at many places, and 513 just beyond the kernel's 512. */
    @ParameterizedTest
    @ValueSource(ints = {PagemapScan.MAX_RANGES_PER_CALL, 513, 512, 100, 3, 1})
    void scansFindExactlyTheWrittenPagesWhateverTheVectorHolds(int vector) throws Exception {
        Random random = new Random(vector);
        try (Protected memory = new Protected();
                PagemapScan scan = PagemapScan.ofProcess(ProcessHandle.current().pid(), vector)) {
            Assumptions.assumeTrue(
                    memory.descriptor.chooseAsynchronous(), "this kernel has no asynchronous protection");
            memory.descriptor.register(memory.start(), memory.bytes());
            scan.findAndReset(memory.start(), memory.end(), (from, to) -> {});
            assertEquals(new BitSet(), memory.find(scan), "all is protected");
            for (int round = 0; round < 10; round++) {
                BitSet written = new BitSet();
                int count = 1 + random.nextInt(3_000);
                for (int i = 0; i < count; i++) {
                    int page = random.nextInt(PAGES);
                    memory.write(page);
                    written.set(page);
                }
                assertEquals(written, memory.find(scan));
                assertEquals(written, memory.findAndReset(scan));
                assertEquals(new BitSet(), memory.find(scan));
            }
        }
    }

    @Test
    void anUnknownFeatureIsRefusedAndTheSameDescriptorMayAskForLess() throws Exception {
        try (Protected memory = new Protected()) {
            assertFalse(memory.descriptor.choose(UNKNOWN_FEATURE));
            assertTrue(memory.descriptor.chooseSynchronous());
            memory.descriptor.register(memory.start(), memory.bytes());
        }
    }

    @Test
    void aSynchronousWriterWaitsUntilItIsLetThrough() throws Exception {
        try (Protected memory = new Protected();
                Poller poller = new Poller(1)) {
            assertTrue(memory.descriptor.chooseSynchronous());
            memory.descriptor.register(memory.start(), memory.bytes());
            memory.descriptor.protect(memory.start(), memory.bytes());
            int page = 4711;
            Thread writer = Thread.ofPlatform().daemon().start(() -> memory.write(page));
            poller.enable(0, memory.descriptor.descriptor(), true, false);
            assertEquals(1, poller.await(10_000_000_000L));
            long[] addresses = new long[Userfaultfd.MAX_FAULTS];
            assertEquals(1, memory.descriptor.readWriteFaults(addresses));
            assertEquals(page, (addresses[0] - memory.start()) / PAGE_BYTES);
            assertTrue(writer.isAlive());
            memory.descriptor.unprotect(memory.start() + (long) page * PAGE_BYTES, PAGE_BYTES);
            writer.join(10_000);
            assertFalse(writer.isAlive());
            assertEquals(0, memory.descriptor.readWriteFaults(addresses));
        }
    }

    /** Some shared memory and a userfaultfd for this process, which needs no privilege to have one. */
    private static final class Protected implements AutoCloseable {
        private final Arena arena = Arena.ofShared();
        private final MemorySegment memory;
        final Userfaultfd descriptor;

        Protected() throws IOException, LinuxException {
            Path file = Files.createTempFile(Path.of("/dev/shm"), "remus-test", "");
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
                memory = channel.map(FileChannel.MapMode.READ_WRITE, 0, (long) PAGES * PAGE_BYTES, arena);
            } finally {
                Files.delete(file);
            }
            int flags = Userfaultfd.O_CLOEXEC_NONBLOCK | Userfaultfd.UFFD_USER_MODE_ONLY;
            long number = Syscalls.check("userfaultfd", Syscalls.call(SyscallNumbers.USERFAULTFD, flags));
            descriptor = new Userfaultfd(new FileDescriptor((int) number, "userfaultfd"));
        }

        long start() {
            return memory.address();
        }

        long bytes() {
            return memory.byteSize();
        }

        long end() {
            return start() + bytes();
        }

        void write(int page) {
            memory.set(ValueLayout.JAVA_BYTE, (long) page * PAGE_BYTES + 17, (byte) 1);
        }

        BitSet find(PagemapScan scan) throws LinuxException {
            BitSet pages = new BitSet();
            scan.find(start(), end(), (from, to) -> mark(pages, from, to));
            return pages;
        }

        BitSet findAndReset(PagemapScan scan) throws LinuxException {
            BitSet pages = new BitSet();
            scan.findAndReset(start(), end(), (from, to) -> mark(pages, from, to));
            return pages;
        }

        private void mark(BitSet pages, long from, long to) {
            pages.set((int) ((from - start()) / PAGE_BYTES), (int) ((to - start()) / PAGE_BYTES));
        }

        @Override
        public void close() {
            descriptor.close();
            arena.close();
        }
    }
}
