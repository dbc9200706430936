package remus.base;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import remus.base.Invariant.InvariantViolation;

class CloseStackTest {
    private final List<String> closed = new ArrayList<>();

    @Test
    void resourcesAreClosedInReverseOrder() {
        CloseStack stack = new CloseStack();
        stack.push(resource("first"));
        stack.push(resource("second"));
        stack.close();
        stack.close();
        assertEquals(List.of("second", "first"), closed);
    }

    @Test
    void oneFailureKeepsNoneOpenAndIsReported() {
        CloseStack stack = new CloseStack();
        stack.push(resource("first"));
        stack.push(() -> {
            throw new IOException("second");
        });
        stack.push(() -> {
            throw new IllegalStateException("third");
        });
        IllegalStateException failure = assertThrows(IllegalStateException.class, stack::close);
        assertEquals(List.of("first"), closed);
        Throwable cause = Invariant.present(failure.getCause(), "the cause");
        assertEquals("third", cause.getMessage());
        assertEquals("second", cause.getSuppressed()[0].getMessage());
    }

    @Test
    void evenABrokenInvariantKeepsNoneOpen() {
        CloseStack stack = new CloseStack();
        stack.push(resource("first"));
        stack.push(() -> Invariant.check(false, "epoch=%d", 7));
        InvariantViolation failure = assertThrows(InvariantViolation.class, stack::close);
        assertEquals("epoch=7", failure.getMessage());
        assertEquals(List.of("first"), closed);
    }

    private AutoCloseable resource(String name) {
        return () -> closed.add(name);
    }
}
