package remus.host;

import remus.qemu.Accelerator;

/** What a VM definition is checked against on the host that is to run it. */
public interface HostFacts {
    /** What {@code accelerator: auto} stands for here: KVM where it can be used. */
    Accelerator automaticAccelerator();

    /** Whether a bridge of that name exists in the host's network. */
    boolean hasBridge(String name);
}
