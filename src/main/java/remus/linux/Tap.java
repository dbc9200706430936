package remus.linux;

import java.nio.file.Path;

/**
 * A TAP device: the host's end of a guest's network card. Each read of {@link #descriptor} takes one Ethernet frame
 * that the host sends to the guest, each write gives the host one frame from the guest, without any header before it.
 * The descriptor does not block.
 *
 * <p>Invariant: the device exists exactly as long as this object is open; when the process dies it is gone, so no
 * guest's network outlives the daemon that answers for its output. It belongs to the network namespace in which the
 * thread was that opened it. Confined to one thread at a time. Needs CAP_NET_ADMIN in that namespace.
 */
public final class Tap implements AutoCloseable {
    /** Longest interface name, in bytes. */
    public static final int MAX_NAME_BYTES = InterfaceRequest.MAX_NAME_BYTES;

    private static final Path DEVICE = Path.of("/dev/net/tun");
    private static final String BRIDGE_DRIVER = "bridge";

    private final FileDescriptor descriptor;
    private final InterfaceRequest request;
    private final String name;

    private Tap(FileDescriptor descriptor, InterfaceRequest request, String name) {
        this.descriptor = descriptor;
        this.request = request;
        this.name = name;
    }

    /**
     * Makes a new TAP device, down and on no bridge.
     *
     * @param name 1 to {@link #MAX_NAME_BYTES} characters; a {@code %d} in it becomes the lowest free number
     * @throws LinuxException saying what is missing: the device node, the privilege, or a free name
     */
    public static Tap open(String name) throws LinuxException {
        return open(DEVICE, name);
    }

    static Tap open(Path device, String name) throws LinuxException {
        FileDescriptor descriptor = openDevice(device);
        boolean opened = false;
        try {
            InterfaceRequest request = InterfaceRequest.open();
            try {
                Tap tap = new Tap(descriptor, request, request.createTap(descriptor, name));
                opened = true;
                return tap;
            } catch (LinuxException e) {
                throw explained(name, e);
            } finally {
                if (!opened) {
                    request.close();
                }
            }
        } finally {
            if (!opened) {
                descriptor.close();
            }
        }
    }

    private static FileDescriptor openDevice(Path device) throws LinuxException {
        try {
            return FileDescriptor.open(device, FileDescriptor.O_RDWR | FileDescriptor.O_NONBLOCK);
        } catch (LinuxException e) {
            String advice = switch (e.errno()) {
                case Errno.ENOENT, Errno.ENODEV, Errno.ENXIO ->
                    "no TAP device can be made without it: load the kernel's 'tun' module (modprobe tun), and in"
                            + " a container pass the device through";
                case Errno.EACCES, Errno.EPERM -> "opening it needs root or access to the device node";
                default -> "no TAP device can be made without it";
            };
            throw new LinuxException("open(" + device + ")", e.errno(), advice);
        }
    }

    private static LinuxException explained(String name, LinuxException failure) {
        String call = "ioctl(TUNSETIFF, " + name + ")";
        return switch (failure.errno()) {
            case Errno.EPERM ->
                new LinuxException(
                        call,
                        failure.errno(),
                        "making a TAP device needs CAP_NET_ADMIN in this network namespace: run as root");
            case Errno.ENOTTY ->
                new LinuxException(
                        call,
                        failure.errno(),
                        DEVICE + " is not the TAP driver: restore it (mknod " + DEVICE + " c 10 200)");
            case Errno.EBUSY ->
                new LinuxException(call, failure.errno(), "an interface of that name exists and is in use");
            default -> failure;
        };
    }

    /** Whether {@code name} is a Linux bridge in this thread's network namespace. */
    public static boolean isBridge(String name) throws LinuxException {
        try (InterfaceRequest request = InterfaceRequest.open()) {
            return isBridge(request, name);
        }
    }

    private static boolean isBridge(InterfaceRequest request, String name) throws LinuxException {
        try {
            return request.driver(name).equals(BRIDGE_DRIVER);
        } catch (LinuxException e) {
            // EOPNOTSUPP: an interface without such a driver, so not a bridge either.
            if (e.errno() == Errno.ENODEV || e.errno() == Errno.EOPNOTSUPP) {
                return false;
            }
            throw e;
        }
    }

    /** The interface's name, with the number that a {@code %d} became. */
    public String name() {
        return name;
    }

    /** For reading and writing frames and for a {@link Poller}; closed with this object only. */
    public FileDescriptor descriptor() {
        return descriptor;
    }

    /** Makes the TAP a port of {@code bridge}; from {@link #bringUp} on frames flow. */
    public void joinBridge(String bridge) throws LinuxException {
        if (!isBridge(request, bridge)) {
            throw new LinuxException(
                    "joining " + name + " to bridge " + bridge,
                    Errno.ENODEV,
                    "there is no bridge of that name here: make it with 'ip link add " + bridge + " type bridge'");
        }
        request.addToBridge(bridge, name);
    }

    public void bringUp() throws LinuxException {
        request.bringUp(name);
    }

    public boolean isUp() throws LinuxException {
        return request.isUp(name);
    }

    @Override
    public void close() {
        descriptor.close();
        request.close();
    }

    @Override
    public String toString() {
        return name;
    }
}
