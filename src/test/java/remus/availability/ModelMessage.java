package remus.availability;

/**
 * A message between the hosts.
 *
 * @param connection on which it was sent; the messages of one stay in order, those of an older one may come at any time
 * @param session its term
 * @param epoch of a checkpoint or an acknowledgement
 * @param frames for a checkpoint: the frames its guest has sent, a bit each
 * @param copy which copying of memory it belongs to
 */
record ModelMessage(Kind kind, int connection, long session, int epoch, int frames, int copy) {
    enum Kind {
        HELLO_NEW,
        PRE_COPY,
        CHECKPOINT,
        HELLO_AGAIN,
        SIGN_OFF,
        GUEST_DEAD,
        ACKNOWLEDGE,
        WELCOME,
        ACTIVATING,
        SIGNED_OFF,
        NO_SUCH_SESSION
    }
}
