package remus.disk;

import org.jspecify.annotations.Nullable;
import remus.checkpoint.DiskOperation;

/** How the redo log writes a {@link DiskOperation}; the protocol between hosts uses the same numbers. */
final class OperationCode {
    private OperationCode() {}

    static int of(DiskOperation operation) {
        return switch (operation) {
            case WRITE -> 1;
            case ZERO -> 2;
            case TRIM -> 3;
        };
    }

    /** Null for a number that means nothing. */
    static @Nullable DiskOperation operation(int code) {
        return switch (code) {
            case 1 -> DiskOperation.WRITE;
            case 2 -> DiskOperation.ZERO;
            case 3 -> DiskOperation.TRIM;
            default -> null;
        };
    }
}
