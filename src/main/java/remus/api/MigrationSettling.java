package remus.api;

/**
 * The checkpoints between the rounds of a migration and its last one: the destination has all of the VM by then and
 * protects it, while both hosts get up to speed.
 *
 * @param checkpoints how many, the last one not among them
 * @param pages in them
 * @param bytes of page data and device state sent for them
 * @param micros from the end of the rounds until the last checkpoint was due
 * @param pauseMicros for how long the guest stood still for them, in all
 */
public record MigrationSettling(int checkpoints, long pages, long bytes, long micros, long pauseMicros) {}
