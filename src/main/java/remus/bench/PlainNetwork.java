package remus.bench;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import remus.base.CloseStack;
import remus.linux.EventFd;
import remus.linux.LinuxException;
import remus.linux.NetworkNamespace;
import remus.linux.Poller;
import remus.linux.Tap;
import remus.linux.UnixStreamSocket;
import remus.network.GuestNetwork;
import remus.network.NicLink;

/**
 * Carries the frames of a guest that no daemon runs between QEMU's NIC socket and a bridge, on a thread of its own. It
 * ends when QEMU does, or by {@link #close}, and leaves no TAP.
 */
final class PlainNetwork implements AutoCloseable {
    private static final long LONGEST_WAIT_NANOS = 1_000_000_000;

    private final EventFd wakeUp;
    private final Thread thread;
    private volatile boolean closed;

    private PlainNetwork(Path nicSocket, PlainVm.Plug plug) throws LinuxException, InterruptedException {
        wakeUp = EventFd.open();
        CompletableFuture<Boolean> begun = new CompletableFuture<>();
        thread = Thread.ofPlatform().name("plain-network").daemon().start(() -> {
            try (GuestNetwork network = connect(nicSocket, plug)) {
                begun.complete(true);
                carry(network);
            } catch (LinuxException e) {
                // After the start it means that QEMU has ended, and with it what this was for.
                begun.completeExceptionally(e);
            }
        });
        boolean started = false;
        try {
            started = begun.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof LinuxException failure) {
                throw failure;
            }
            throw new IllegalStateException(e);
        } finally {
            if (!started) {
                close();
            }
        }
    }

    private static GuestNetwork connect(Path nicSocket, PlainVm.Plug plug) throws LinuxException {
        NetworkNamespace.enter(plug.namespace());
        try (CloseStack onFailure = new CloseStack()) {
            Tap tap = onFailure.push(Tap.open("plain%d"));
            tap.joinBridge(plug.bridge());
            tap.bringUp();
            UnixStreamSocket socket = onFailure.push(UnixStreamSocket.connect(nicSocket));
            onFailure.release();
            return new GuestNetwork(List.of(new NicLink(socket, tap)));
        }
    }

    /** @param nicSocket QEMU's, which listens there */
    static PlainNetwork start(Path nicSocket, PlainVm.Plug plug) throws LinuxException, InterruptedException {
        return new PlainNetwork(nicSocket, plug);
    }

    private void carry(GuestNetwork network) throws LinuxException {
        NicLink nic = network.nics().getFirst();
        try (Poller poller = new Poller(3)) {
            while (!closed) {
                // While a frame waits for room in the socket, more of them must not be taken from the TAP.
                poller.enable(0, nic.socketDescriptor(), true, nic.wantsToWrite());
                if (nic.wantsToWrite()) {
                    poller.disable(1);
                } else {
                    poller.enable(1, nic.tapDescriptor(), true, false);
                }
                poller.enable(2, wakeUp.descriptor(), true, false);
                poller.await(LONGEST_WAIT_NANOS);
                while (network.moveOutput() && !closed) {
                    // until the socket is empty
                }
                if (nic.wantsToWrite()) {
                    nic.flushToGuest();
                }
                network.moveInput();
            }
        }
    }

    @Override
    public void close() {
        closed = true;
        wakeUp.signal();
        boolean interrupted = Thread.interrupted();
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        wakeUp.close();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
