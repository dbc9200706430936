package remus.qemu;

/**
 * The machines that QEMU offers and we protect; each with the versioned name that both hosts must have. QEMU has no
 * versions of microvm, so that there both hosts need the same QEMU.
 */
public enum MachineType {
    Q35("q35", "pc-q35-7.2", Architecture.X86_64),
    PC("pc", "pc-i440fx-7.2", Architecture.X86_64),
    MICROVM("microvm", "microvm", Architecture.X86_64),
    VIRT("virt", "virt-7.2", Architecture.ARM64);

    private final String key;
    private final String versionedName;
    private final Architecture architecture;

    MachineType(String key, String versionedName, Architecture architecture) {
        this.key = key;
        this.versionedName = versionedName;
        this.architecture = architecture;
    }

    /** The name in a VM definition. */
    public String key() {
        return key;
    }

    /** What guests of this machine are made for. */
    public Architecture architecture() {
        return architecture;
    }

    /** Whether its firmware, or what QEMU puts in the place of one, starts a kernel and nothing else. */
    public boolean bootsKernelOnly() {
        return switch (this) {
            case Q35, PC -> false;
            case MICROVM, VIRT -> true;
        };
    }

    /** The name that QEMU gets and that its device state carries: the same on both hosts whatever their default is. */
    public String versionedName() {
        return versionedName;
    }
}
