package remus.qemu;

/**
 * The machines that QEMU offers and we protect; each with the versioned name that both hosts must have. QEMU has no
 * versions of microvm, so that there both hosts need the same QEMU.
 */
public enum MachineType {
    Q35("q35", "pc-q35-7.2"),
    PC("pc", "pc-i440fx-7.2"),
    MICROVM("microvm", "microvm");

    private final String key;
    private final String versionedName;

    MachineType(String key, String versionedName) {
        this.key = key;
        this.versionedName = versionedName;
    }

    /** The name in a VM definition. */
    public String key() {
        return key;
    }

    /** The name that QEMU gets and that its device state carries: the same on both hosts whatever their default is. */
    public String versionedName() {
        return versionedName;
    }
}
