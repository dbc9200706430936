package remus.api;

/**
 * A host's memory, in bytes.
 *
 * @param totalBytes all of it
 * @param availableBytes what new processes can have without swapping, by the kernel's estimate
 * @param guestBytes RAM of the guests that run or stand by here, whether it is filled yet or not
 * @param unfilledGuestBytes of it, what is promised and not written to yet
 * @param stagingBytes what is kept for checkpoints of the VMs that are backed up here, and for QEMUs of theirs that
 *     are yet to start
 */
public record HostMemory(
        long totalBytes, long availableBytes, long guestBytes, long unfilledGuestBytes, long stagingBytes) {}
