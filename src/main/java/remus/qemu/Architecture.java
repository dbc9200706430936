package remus.qemu;

/** What processors a guest is made for; each has a QEMU of its own. */
public enum Architecture {
    X86_64("qemu-system-x86_64", "qemu-system-x86"),
    ARM64("qemu-system-aarch64", "qemu-system-arm");

    private final String program;
    private final String debianPackage;

    Architecture(String program, String debianPackage) {
        this.program = program;
        this.debianPackage = debianPackage;
    }

    /** QEMU's name for these guests. */
    public String program() {
        return program;
    }

    /** The Debian package that has it. */
    public String debianPackage() {
        return debianPackage;
    }
}
