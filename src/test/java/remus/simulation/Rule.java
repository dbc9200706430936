package remus.simulation;

/** What must hold in a {@link World} at all times, each under a name of its own. */
enum Rule {
    R2("no frame leaves but by a commit of its epoch, or by the record that says that this host is alone"),
    R3("what is acknowledged is whole: memory, device state, disk writes and output of one epoch"),
    R8("whoever owns the VM contains all that has ever left"),
    OWNER("after the new owner's first frame the old one sends only frames that the activated state contains"),
    SEEN("what a client saw is in the surviving state"),
    WHOLE("an activated checkpoint was whole"),
    DISK("the disks on the backup equal a whole checkpoint"),
    INBOUND("every inbound frame is in the activated state or replayed"),
    GUARD("a host that takes its VM for protected has a backup that the record would let take over"),
    TERM("each term is granted once, and no session's term is used twice"),
    LIVE("once faults end the VM runs somewhere and its clients are answered"),
    WIRE("what an honest peer sends is understood"),
    CODE("no invariant of the code's own is broken");

    private final String text;

    Rule(String text) {
        this.text = text;
    }

    String text() {
        return text;
    }
}
