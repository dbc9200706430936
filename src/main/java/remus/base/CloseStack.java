package remus.base;

import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * Owns resources and closes them in the reverse order of their opening, all of them even when one fails. Confined to
 * the thread of its owner. The first failure becomes the cause of an
 * {@link IllegalStateException} after the last close, further ones are suppressed in it; an {@link Error} is thrown as
 * it is.
 */
public final class CloseStack implements AutoCloseable {
    private final Deque<AutoCloseable> resources = new ArrayDeque<>();

    /** Takes over {@code resource} and returns it. */
    public <T extends AutoCloseable> T push(T resource) {
        resources.push(resource);
        return resource;
    }

    /** Lets go of all resources: from here on somebody else owns them. */
    public void release() {
        resources.clear();
    }

    @Override
    public void close() {
        @Nullable Exception first = null;
        while (!resources.isEmpty()) {
            try {
                resources.pop().close();
            } catch (Exception e) {
                if (first == null) {
                    first = e;
                } else {
                    first.addSuppressed(e);
                }
            } catch (Error e) {
                closeRest(e);
                throw e;
            }
        }
        if (first != null) {
            throw new IllegalStateException("a resource could not be closed: " + first.getMessage(), first);
        }
    }

    private void closeRest(Error cause) {
        try {
            close();
        } catch (IllegalStateException | Error e) {
            cause.addSuppressed(e);
        }
    }
}
