package remus.qemu;

/** What runs the guest's instructions. */
public enum Accelerator {
    KVM("kvm"),
    TCG("tcg");

    private final String key;

    Accelerator(String key) {
        this.key = key;
    }

    /** QEMU's {@code -accel} name, also used in VM definitions. */
    public String key() {
        return key;
    }
}
