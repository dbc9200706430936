package remus.host;

import org.jspecify.annotations.Nullable;
import remus.api.ErrorDocument;
import remus.base.ErrorCategory;
import remus.base.RemusException;

/**
 * An operation that somebody asked the host for was refused or failed. The kind decides the HTTP status, the problem
 * says what and why in one line, the remedy what to do about it.
 */
public final class OperationException extends RemusException {
    private static final long serialVersionUID = 1L;

    /** Why the operation was not done. */
    public enum Kind {
        /** The VM or the verb does not exist here. */
        NOT_FOUND(404, ErrorCategory.FATAL),
        /** The request itself can't be right: bad values, bad definition. */
        REFUSED(422, ErrorCategory.FATAL),
        /** The request does not fit the VM's present state; it may later. */
        CONFLICT(409, ErrorCategory.RETRY),
        /** It was tried and did not succeed. */
        FAILED(500, ErrorCategory.DEGRADE);

        private final int httpStatus;
        private final ErrorCategory category;

        Kind(int httpStatus, ErrorCategory category) {
            this.httpStatus = httpStatus;
            this.category = category;
        }

        int httpStatus() {
            return httpStatus;
        }
    }

    private final Kind kind;
    private final String problem;
    private final String remedy;

    /**
     * @param problem what failed and why, with the values
     * @param remedy what to do about it; empty when there is nothing to say
     */
    public OperationException(Kind kind, String problem, String remedy) {
        this(kind, problem, remedy, null);
    }

    public OperationException(Kind kind, String problem, String remedy, @Nullable Throwable cause) {
        super(kind.category, new ErrorDocument(oneLine(problem), oneLine(remedy)).line(), cause);
        this.kind = kind;
        this.problem = oneLine(problem);
        this.remedy = oneLine(remedy);
    }

    public Kind kind() {
        return kind;
    }

    ErrorDocument document() {
        return new ErrorDocument(problem, remedy);
    }

    private static String oneLine(String text) {
        return text.strip().replaceAll("\\s*[\\r\\n]+\\s*", " ");
    }
}
