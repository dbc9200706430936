package remus.availability;

/**
 * How much may happen in a {@link ModelWorld}.
 *
 * @param epochs checkpoints of one session, at most
 * @param frames frames that guests send
 * @param sessions protection sessions begun
 * @param faults crashes, restarts, pauses, cuts, lost replies, wrong suspicions, failed loads, dead guests, operators
 */
record ModelBounds(int epochs, int frames, int sessions, int faults) {}
