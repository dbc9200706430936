package remus.base;

/** What the process does after an error: each exception of the project names one. */
public enum ErrorCategory {
    /** The same operation may succeed when it is tried again. */
    RETRY,
    /** The VM goes on with less: unprotected, or without the part that failed. */
    DEGRADE,
    /** The operation can't succeed and must not be repeated; somebody has to change something first. */
    FATAL
}
