package remus.base;

import org.jspecify.annotations.Nullable;

/** Which release of Remus this is. */
public final class Release {
    private Release() {}

    /** Such as {@code 0.1.0}; outside of a packaged jar there is none. */
    public static String text() {
        @Nullable String version = Release.class.getPackage().getImplementationVersion();
        return version == null ? "(development build)" : version;
    }
}
