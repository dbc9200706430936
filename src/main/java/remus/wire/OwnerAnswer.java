package remus.wire;

import java.nio.ByteBuffer;
import remus.base.Term;

/**
 * What a host knows about a VM: the payload of OWNER_ANSWER and FENCED, and the term of their header.
 *
 * @param host the name of the host that answers
 * @param term the latest term of the VM's ownership that the host knows
 * @param text for people
 */
public record OwnerAnswer(String vm, String host, OwnerState state, Term term, String text) {
    public void encode(ByteBuffer target) {
        WireText.putName(target, vm);
        WireText.putName(target, host);
        target.put((byte) state.code());
        WireText.putReason(target, text);
    }

    /** @param term from the frame's header */
    public static OwnerAnswer decode(ByteBuffer source, Term term) throws WireException {
        String vm = WireText.takeVmName(source);
        String host = WireText.takeName(source, "host name");
        WireText.need(source, 1, "state");
        OwnerState state = OwnerState.ofCode(Byte.toUnsignedInt(source.get()));
        String text = WireText.takeReason(source);
        WireText.end(source);
        return new OwnerAnswer(vm, host, state, term, text);
    }
}
