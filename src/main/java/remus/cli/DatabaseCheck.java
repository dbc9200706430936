package remus.cli;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import org.jspecify.annotations.Nullable;

/**
 * PostgreSQL's own check of a database, by its extension amcheck: every B-tree index against the rows of its table, and
 * every table's pages. It needs a superuser's connection.
 */
final class DatabaseCheck {
    // Temporary relations of other sessions can't be read. Everything else there is: the client's table and the
    // catalog.
    private static final String INDEXES = """
            SELECT bt_index_check(index.oid, true)
            FROM pg_class index
            JOIN pg_index ON pg_index.indexrelid = index.oid
            JOIN pg_am ON pg_am.oid = index.relam
            WHERE pg_am.amname = 'btree' AND index.relkind = 'i' AND index.relpersistence <> 't'
              AND pg_index.indisready AND pg_index.indisvalid
            """;

    private static final String TABLES = """
            SELECT format('%s, block %s, line %s: %s', relation.oid::regclass, found.blkno, found.offnum, found.msg)
            FROM pg_class relation, LATERAL verify_heapam(relation.oid) found
            WHERE relation.relkind IN ('r', 't', 'm') AND relation.relpersistence <> 't'
            LIMIT 1
            """;

    private DatabaseCheck() {}

    /** The first thing that is wrong, or null. */
    static @Nullable String problem(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            try (ResultSet checked = statement.executeQuery(INDEXES)) {
                if (!checked.next()) {
                    return "amcheck found no index to check";
                }
            } catch (SQLException e) {
                if (!isCorruption(e)) {
                    throw e;
                }
                return String.valueOf(e.getMessage());
            }
            try (ResultSet found = statement.executeQuery(TABLES)) {
                return found.next() ? found.getString(1) : null;
            } catch (SQLException e) {
                if (!isCorruption(e)) {
                    throw e;
                }
                return String.valueOf(e.getMessage());
            }
        }
    }

    /** SQLSTATE's class XX: data_corrupted, index_corrupted and internal errors, such as a page with a bad checksum. */
    private static boolean isCorruption(SQLException e) {
        String state = e.getSQLState();
        return state != null && state.startsWith("XX");
    }
}
