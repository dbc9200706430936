package remus.doctor;

import java.util.Locale;

/** What a finding means, from good to bad. */
public enum Verdict {
    OK,
    /** VMs can be protected, but not as well as they could, or not everything. */
    WARNING,
    /** No VM can be protected before this is mended. */
    FAILURE;

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
