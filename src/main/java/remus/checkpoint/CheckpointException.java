package remus.checkpoint;

import org.jspecify.annotations.Nullable;
import remus.base.ByteSize;
import remus.base.ErrorCategory;
import remus.base.RemusException;

/** A checkpoint could not be taken, received or applied. */
public final class CheckpointException extends RemusException {
    private static final long serialVersionUID = 1L;

    public CheckpointException(ErrorCategory category, String message, @Nullable Throwable cause) {
        super(category, message, cause);
    }

    static CheckpointException stagingFull(long limitBytes) {
        return new CheckpointException(
                ErrorCategory.DEGRADE,
                "the checkpoint needs more than its staging buffer may hold (limit " + new ByteSize(limitBytes) + ")",
                null);
    }
}
