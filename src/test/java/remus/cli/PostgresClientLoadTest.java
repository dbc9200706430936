package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.sql.Connection;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class PostgresClientLoadTest {
    private FakePostgres postgres;
    private PostgresClientLoad load;

    @BeforeEach
    void start() throws Exception {
        postgres = new FakePostgres();
        load = PostgresClientLoad.start(postgres::connect, 42);
    }

    @AfterEach
    void close() throws Exception {
        load.close();
        postgres.close();
    }

    private static void await(BooleanSupplier condition, String what) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < deadline, what);
            TimeUnit.MILLISECONDS.sleep(1);
        }
    }

    private void awaitAcknowledged(long rows) throws InterruptedException {
        await(() -> load.figures().acknowledged() >= rows || !load.isRunning(), rows + " rows acknowledged");
    }

    private void expectLost(long lost, String problem) throws InterruptedException {
        ClientLoad.Figures figures = load.finish();
        assertEquals(lost, figures.lost(), figures.toString());
        assertEquals(0, figures.resets(), figures.toString());
        assertTrue(String.valueOf(figures.problem()).contains(problem), figures.toString());
    }

    @Test
    void anHonestServerLosesNothing() throws Exception {
        awaitAcknowledged(100);
        ClientLoad.Figures figures = load.finish();
        assertTrue(figures.acknowledged() >= 100);
        assertNull(figures.problem());
        assertEquals(0, figures.lost());
        assertEquals(0, figures.resets());
        assertEquals(1, postgres.connections.get());
        assertFalse(load.isRunning());
    }

    @Test
    void rowsOfAClientBeforeAreNoConcernOfTheNext() throws Exception {
        awaitAcknowledged(20);
        long first = load.finish().acknowledged();
        try (PostgresClientLoad second = PostgresClientLoad.start(postgres::connect, 43)) {
            await(() -> second.figures().acknowledged() >= 20, "rows of the second client");
            ClientLoad.Figures figures = second.finish();
            assertEquals(0, figures.lost(), figures.toString());
            postgres.change(rows -> assertEquals(first + figures.acknowledged(), rows.size()));
        }
    }

    @Test
    void aServerThatGoesBackInTimeIsFoundOut() throws Exception {
        awaitAcknowledged(50);
        postgres.change(rows -> rows.subList(30, 50).clear());
        awaitAcknowledged(80);
        expectLost(20, "is missing");
    }

    @Test
    void aRowThatIsThereTwiceIsFound() throws Exception {
        awaitAcknowledged(20);
        postgres.change(rows -> rows.add(rows.get(7)));
        expectLost(1, "row 8 is there twice");
    }

    @Test
    void aRowWithAnotherContentIsFound() throws Exception {
        awaitAcknowledged(20);
        postgres.change(rows -> {
            FakePostgres.Row row = rows.get(7);
            rows.set(
                    7,
                    new FakePostgres.Row(
                            row.id(), row.payload().replace(row.payload().charAt(0), '_'), row.checksum()));
        });
        expectLost(1, "row 8 has another content");
    }

    @Test
    void aRowThatWasNeverSentIsFound() throws Exception {
        awaitAcknowledged(20);
        postgres.change(rows -> rows.add(new FakePostgres.Row(1_000_000, "x".repeat(20), 0)));
        expectLost(1, "row 1000000 is there, but was never sent");
    }

    @Test
    void whatIsLostLaterIsFoundByReadingAgainAndNothingCountedTwice() throws Exception {
        awaitAcknowledged(20);
        postgres.change(rows -> rows.remove(3));
        expectLost(1, "row 4 is missing");
        postgres.change(rows -> rows.remove(5));
        try (Connection other = postgres.connect()) {
            load.readAgain(other);
        }
        assertEquals(2, load.figures().lost());
    }

    @Test
    void aResetIsCountedAndTheConnectionNotReplaced() throws Exception {
        awaitAcknowledged(20);
        postgres.resetConnection();
        await(() -> !load.isRunning(), "the load ends");
        ClientLoad.Figures figures = load.finish();
        assertEquals(1, figures.resets());
        assertEquals(0, figures.lost());
        assertTrue(String.valueOf(figures.problem()).startsWith("the connection broke"), figures.toString());
        assertEquals(1, postgres.connections.get());
    }

    @Test
    void theRowThatWasOnItsWayMayBeThereWhenTheConnectionBroke() throws Exception {
        for (boolean there : List.of(true, false)) {
            try (FakePostgres server = new FakePostgres();
                    PostgresClientLoad client = PostgresClientLoad.start(server::connect, 7)) {
                await(() -> client.figures().acknowledged() >= 20, "rows");
                server.resetBeforeTheNextAnswer();
                await(() -> !client.isRunning(), "the load ends");
                client.finish();
                if (!there) {
                    server.change(rows -> {
                        if (rows.size() > client.figures().acknowledged()) {
                            rows.removeLast();
                        }
                    });
                }
                server.answerAgain();
                try (Connection other = server.connect()) {
                    client.readAgain(other);
                }
                assertEquals(0, client.figures().lost(), client.figures().toString());
                assertEquals(1, client.figures().resets());
            }
        }
    }

    @Test
    void anErrorOfTheServerFailsTheLoad() throws Exception {
        awaitAcknowledged(20);
        postgres.refuseFromNowOn();
        await(() -> !load.isRunning(), "the load ends");
        ClientLoad.Figures figures = load.finish();
        assertEquals(1, figures.resets());
        assertTrue(String.valueOf(figures.problem()).contains("disk full"), figures.toString());
    }
}
