package remus.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;

/**
 * One {@code struct ifreq} (netdevice(7)) and the socket through which requests about network interfaces go. It speaks
 * of the network namespace in which the thread that opened it was at that moment, and keeps to it. Confined to one
 * thread at a time.
 */
final class InterfaceRequest implements AutoCloseable {
    /** Longest interface name: {@code IFNAMSIZ} less its terminating zero. */
    static final int MAX_NAME_BYTES = 15;

    static final int IFREQ_BYTES = 40;
    static final int IFREQ_UNION_OFFSET = 16;
    static final int DRVINFO_BYTES = 196;
    static final int DRVINFO_DRIVER_OFFSET = 4;
    static final int DRIVER_NAME_BYTES = 32;

    static final long TUNSETIFF = 0x400454caL;
    static final int IFF_TAP = 0x0002;
    static final int IFF_NO_PI = 0x1000;
    static final long SIOCGIFFLAGS = 0x8913;
    static final long SIOCSIFFLAGS = 0x8914;
    static final int IFF_UP = 1;
    static final long SIOCGIFINDEX = 0x8933;
    static final long SIOCETHTOOL = 0x8946;
    static final int ETHTOOL_GDRVINFO = 3;
    static final long SIOCBRADDIF = 0x89a2;

    private static final int AF_INET = 2;
    private static final int SOCK_DGRAM_CLOEXEC = 2 | 0x80000;

    private final Arena arena = Arena.ofShared();
    private final MemorySegment request = arena.allocate(IFREQ_BYTES, 8);
    private final MemorySegment driverInfo = arena.allocate(DRVINFO_BYTES, 8);
    private final FileDescriptor socket;

    private InterfaceRequest(FileDescriptor socket) {
        this.socket = socket;
    }

    static InterfaceRequest open() throws LinuxException {
        long number = Syscalls.call(SyscallNumbers.SOCKET, AF_INET, SOCK_DGRAM_CLOEXEC, 0);
        return new InterfaceRequest(
                new FileDescriptor((int) Syscalls.check("socket(AF_INET)", number), "interface socket"));
    }

    /** Makes a TAP device that lives as long as {@code tun} is open; returns the name that it got. */
    String createTap(FileDescriptor tun, String name) throws LinuxException {
        begin(name);
        request.set(JAVA_SHORT, IFREQ_UNION_OFFSET, (short) (IFF_TAP | IFF_NO_PI));
        // SAFETY: one struct ifreq that lives as long as this object; the kernel writes the name back into it.
        Syscalls.check(
                "ioctl(TUNSETIFF, " + name + ")",
                Syscalls.call(SyscallNumbers.IOCTL, tun.number(), TUNSETIFF, request.address()));
        return request.getString(0, StandardCharsets.US_ASCII);
    }

    /** @throws LinuxException with ENODEV where there is no such interface in this namespace */
    int index(String name) throws LinuxException {
        begin(name);
        perform("SIOCGIFINDEX", SIOCGIFINDEX, name);
        return request.get(JAVA_INT, IFREQ_UNION_OFFSET);
    }

    boolean isUp(String name) throws LinuxException {
        begin(name);
        perform("SIOCGIFFLAGS", SIOCGIFFLAGS, name);
        return (request.get(JAVA_SHORT, IFREQ_UNION_OFFSET) & IFF_UP) != 0;
    }

    void bringUp(String name) throws LinuxException {
        begin(name);
        perform("SIOCGIFFLAGS", SIOCGIFFLAGS, name);
        short flags = request.get(JAVA_SHORT, IFREQ_UNION_OFFSET);
        request.set(JAVA_SHORT, IFREQ_UNION_OFFSET, (short) (flags | IFF_UP));
        perform("SIOCSIFFLAGS", SIOCSIFFLAGS, name);
    }

    void addToBridge(String bridge, String port) throws LinuxException {
        int index = index(port);
        begin(bridge);
        request.set(JAVA_INT, IFREQ_UNION_OFFSET, index);
        perform("SIOCBRADDIF " + port, SIOCBRADDIF, bridge);
    }

    /**
     * The kernel driver behind an interface, {@code bridge} for a Linux bridge. Asked by ioctl and not in {@code /sys},
     * which shows the namespace of whoever mounted it.
     */
    String driver(String name) throws LinuxException {
        driverInfo.fill((byte) 0);
        driverInfo.set(JAVA_INT, 0, ETHTOOL_GDRVINFO);
        begin(name);
        request.set(JAVA_LONG, IFREQ_UNION_OFFSET, driverInfo.address());
        perform("SIOCETHTOOL", SIOCETHTOOL, name);
        MemorySegment driver = driverInfo.asSlice(DRVINFO_DRIVER_OFFSET, DRIVER_NAME_BYTES);
        // The kernel terminates the name; a last zero of our own keeps a wrong one from being read past its field.
        driver.set(JAVA_BYTE, DRIVER_NAME_BYTES - 1, (byte) 0);
        return driver.getString(0, StandardCharsets.US_ASCII);
    }

    private void begin(String name) {
        byte[] bytes = name.getBytes(StandardCharsets.US_ASCII);
        if (bytes.length == 0 || bytes.length > MAX_NAME_BYTES) {
            throw new IllegalArgumentException(
                    "interface name '" + name + "' is not 1 to " + MAX_NAME_BYTES + " characters long");
        }
        request.fill((byte) 0);
        MemorySegment.copy(bytes, 0, request, JAVA_BYTE, 0, bytes.length);
    }

    private void perform(String what, long number, String name) throws LinuxException {
        // SAFETY: one struct ifreq, and for SIOCETHTOOL the struct ethtool_drvinfo that it points to; both live as long
        // as this object.
        long result = Syscalls.call(SyscallNumbers.IOCTL, socket.number(), number, request.address());
        Syscalls.check("ioctl(" + what + ", " + name + ")", result);
    }

    @Override
    public void close() {
        socket.close();
        arena.close();
    }
}
