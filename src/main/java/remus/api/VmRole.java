package remus.api;

import java.util.Locale;

/** What this host is to a VM; written in lower case in documents. */
public enum VmRole {
    /** The VM runs here. */
    PRIMARY,
    /** This host holds the VM's checkpoints and its standby. */
    BACKUP;

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
