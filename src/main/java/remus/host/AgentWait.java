package remus.host;

import remus.checkpoint.GuestControl;
import remus.linux.EventFd;
import remus.linux.LinuxException;
import remus.linux.Poller;
import remus.network.GuestNetwork;
import remus.network.NicLink;
import remus.qemu.PauseCommands;
import remus.qemu.RunningGuest;

/**
 * What the agent of a running VM waits for, all at once: its mailbox, QEMU's answers, and frames of either direction.
 * Confined to the agent's thread.
 */
final class AgentWait implements AutoCloseable {
    private static final int WAKEUP_SLOT = 0;
    private static final int QMP_SLOT = 1;
    private static final int FIRST_NIC_SLOT = QMP_SLOT + PauseCommands.SLOTS;

    private final EventFd wakeup;
    private final RunningGuest guest;
    private final GuestNetwork network;
    private final Poller poller;

    AgentWait(EventFd wakeup, RunningGuest guest, GuestNetwork network) {
        this.wakeup = wakeup;
        this.guest = guest;
        this.network = network;
        poller = new Poller(FIRST_NIC_SLOT + 2 * network.nics().size());
    }

    /**
     * Waits for at most {@code nanos}.
     *
     * @param withGuest whether QEMU lives; else only the mailbox counts
     * @return whether QEMU has said something, or can be told more
     */
    boolean await(long nanos, boolean withGuest) throws LinuxException {
        poller.enable(WAKEUP_SLOT, wakeup.descriptor(), true, false);
        if (withGuest) {
            guest.commands().watch(poller, QMP_SLOT);
        } else {
            poller.disable(QMP_SLOT);
            poller.disable(QMP_SLOT + 1);
        }
        for (int index = 0; index < network.nics().size(); index++) {
            watch(network.nics().get(index), FIRST_NIC_SLOT + 2 * index, withGuest);
        }
        poller.await(nanos);
        if (poller.readable(WAKEUP_SLOT)) {
            wakeup.clear();
        }
        return PauseCommands.isReady(poller, QMP_SLOT);
    }

    /**
     * Whether what comes for the guest is left where it is: in a pause, or while it stands still by command, for what a QEMU
     * that stands still had read would be in no checkpoint.
     */
    static boolean inputStays(GuestControl guest, GuestNetwork network) {
        return guest.staysStill() || network.inboundWithheld();
    }

    private void watch(NicLink nic, int slot, boolean withGuest) {
        if (!withGuest) {
            poller.disable(slot);
            poller.disable(slot + 1);
            return;
        }
        poller.enable(slot, nic.socketDescriptor(), true, nic.wantsToWrite());
        // What the guest can't take now stays in the TAP, where the kernel bounds it; to wait for that would be a busy
        // loop.
        if (inputStays(guest, network) || nic.wantsToWrite()) {
            poller.disable(slot + 1);
        } else {
            poller.enable(slot + 1, nic.tapDescriptor(), true, false);
        }
    }

    @Override
    public void close() {
        poller.close();
    }
}
