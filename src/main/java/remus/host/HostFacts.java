package remus.host;

import remus.qemu.Accelerator;

/** What a VM definition is checked against on the host that is to run it. */
public interface HostFacts {
    /** What {@code accelerator: auto} stands for here: KVM where QEMU starts with it and the host's CPU. */
    Accelerator automaticAccelerator();

    /** Whether the KVM device can be opened, which a VM under KVM needs at least. */
    boolean hasKvm();

    /** Whether a bridge of that name exists in the host's network. */
    boolean hasBridge(String name);
}
