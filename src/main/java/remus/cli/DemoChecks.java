package remus.cli;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the checks at the end of a demo found. A check that could not be made is not clean.
 *
 * @param made false where the guest has nothing to check, or did not survive
 * @param databaseProblem the first thing wrong with the database's tables and indexes, or null
 * @param fileSystemProblem the first thing wrong with the file system in the survivor's image, or null
 */
record DemoChecks(
        boolean made,
        @Nullable String databaseProblem,
        @Nullable String fileSystemProblem) {
    static final DemoChecks NONE = new DemoChecks(false, null, null);

    /** Null: not checked. */
    @Nullable
    Boolean amcheckClean() {
        return made ? databaseProblem == null : null;
    }

    /** Null: not checked. */
    @Nullable
    Boolean fsckClean() {
        return made ? fileSystemProblem == null : null;
    }

    /** What is wrong, a line for each: each counts as a lost write. */
    List<String> problems() {
        List<String> problems = new ArrayList<>();
        if (databaseProblem != null) {
            problems.add("the database is damaged: " + databaseProblem);
        }
        if (fileSystemProblem != null) {
            problems.add("the file system is damaged: " + fileSystemProblem);
        }
        return problems;
    }
}
