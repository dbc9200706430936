package remus.disk;

/**
 * A disk of a VM on its backup.
 *
 * @param name as in the VM's definition
 * @param image what the disk's content is kept in; whoever opened it closes it
 */
public record ReplicaDisk(String name, BlockImage image) {}
